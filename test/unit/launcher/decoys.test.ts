import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { expect, test } from "vitest";
import { makeDecoy } from "../../../src/launcher/decoys.ts";
import { decoyKinds } from "../../../src/plan/policy.ts";

const shapes = {
  "ssh-key": /^-----BEGIN OPENSSH PRIVATE KEY-----\n(?:[A-Za-z0-9+/=]{1,70}\n)+-----END OPENSSH PRIVATE KEY-----\n$/,
  "aws-credentials": /^\[default\]\naws_access_key_id = AKIA[A-Z2-7]{16}\naws_secret_access_key = [A-Za-z0-9+/]{40}\n$/,
  npmrc: /^\/\/registry\.npmjs\.org\/:_authToken=npm_[A-Za-z0-9]{36}\n$/,
  netrc: /^machine github\.com\n {2}login git\n {2}password ghp_[A-Za-z0-9]{36}\n$/,
  token: /^[0-9a-f]{40}\n$/,
};

test.for(decoyKinds)("%s has the shape of a real one, is another one each time, and is not shown", (kind) => {
  const [one, other] = [makeDecoy(kind), makeDecoy(kind)];
  expect(one.reveal()).toMatch(shapes[kind]);
  expect(one.reveal()).not.toBe(other.reveal());
  expect(JSON.stringify({ one, text: `${one}` })).toBe('{"one":"[secret]","text":"[secret]"}');
});

test("the private key of a decoy is a key", () => {
  const body = makeDecoy("ssh-key").reveal().split("\n").slice(1, -2).join("");
  const fields = fieldsOf(Buffer.from(body, "base64"));
  const { seed, publicKey } = fields;
  const pkcs8 = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const key = createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" });
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey]);
  const message = Buffer.from("message");
  expect(
    verify(null, message, createPublicKey({ key: spki, format: "der", type: "spki" }), sign(null, message, key)),
  ).toBe(true);
});

/** By OpenSSH's PROTOCOL.key. */
function fieldsOf(bytes: Buffer): { seed: Buffer; publicKey: Buffer } {
  expect(bytes.subarray(0, 15).toString()).toBe("openssh-key-v1\0");
  let at = 15;
  const next = (from: Buffer) => {
    const length = from.readUInt32BE(at);
    at += 4 + length;
    return from.subarray(at - length, at);
  };
  expect([next(bytes), next(bytes), next(bytes)].map(String)).toEqual(["none", "none", ""]);
  at += 4; // the number of keys
  next(bytes);
  const secrets = next(bytes);
  expect(secrets.length % 8).toBe(0);
  at = 8; // two equal check numbers
  expect(secrets.subarray(0, 4)).toEqual(secrets.subarray(4, 8));
  expect(String(next(secrets))).toBe("ssh-ed25519");
  const publicKey = next(secrets);
  return { publicKey, seed: next(secrets).subarray(0, 32) };
}
