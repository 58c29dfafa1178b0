/**
 * Makes up credentials that look like real ones and open nothing.
 *
 * Runs:     host.
 * Promises: other ones at each call, from the system's random numbers.
 * Source:   docs/mounts.md, "Decoys"; PROTOCOL.key of OpenSSH for the private key's format
 */
import { Secret } from "../base/secret.ts";
import type { DecoyKind } from "../plan/policy.ts";

export function makeDecoy(kind: DecoyKind): Secret {
  return new Secret(makers[kind]());
}

/** Loaded for the first decoy: it takes 5 ms. */
const crypto = () => process.getBuiltinModule("node:crypto");

const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const digits = "0123456789";
const letters = `${upper}${upper.toLowerCase()}`;

const makers: Readonly<Record<DecoyKind, () => string>> = {
  "ssh-key": sshKey,
  "aws-credentials": () =>
    [
      "[default]",
      `aws_access_key_id = AKIA${characters(16, `${upper}234567`)}`,
      `aws_secret_access_key = ${characters(40, `${letters}${digits}+/`)}`,
      "",
    ].join("\n"),
  npmrc: () => `//registry.npmjs.org/:_authToken=npm_${characters(36, `${letters}${digits}`)}\n`,
  netrc: () => `machine github.com\n  login git\n  password ghp_${characters(36, `${letters}${digits}`)}\n`,
  token: () => `${crypto().randomBytes(20).toString("hex")}\n`,
};

function characters(length: number, alphabet: string): string {
  return Array.from({ length }, () => alphabet[crypto().randomInt(alphabet.length)]).join("");
}

/** A true Ed25519 key, without a passphrase. */
function sshKey(): string {
  const { x = "", d = "" } = crypto().generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [publicKey, seed] = [Buffer.from(x, "base64url"), Buffer.from(d, "base64url")];
  const check = crypto().randomBytes(4);
  const type = Buffer.from("ssh-ed25519");
  const secrets = Buffer.concat([
    check,
    check,
    field(type),
    field(publicKey),
    field(Buffer.concat([seed, publicKey])),
    field(Buffer.from("user@localhost")),
  ]);
  const none = field(Buffer.from("none"));
  const bytes = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    none, // cipher
    none, // key derivation
    field(Buffer.alloc(0)),
    Buffer.from([0, 0, 0, 1]), // one key
    field(Buffer.concat([field(type), field(publicKey)])),
    field(padded(secrets)),
  ]);
  const lines = bytes.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n");
}

function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** To a multiple of 8 bytes with 1, 2, 3 and so on. */
function padded(bytes: Buffer): Buffer {
  const missing = (8 - (bytes.length % 8)) % 8;
  return Buffer.concat([bytes, Buffer.from(Array.from({ length: missing }, (_, index) => index + 1))]);
}
