/**
 * Nix builds in a store of their own, with the build sandbox on. No daemon, no /nix, no network, no package set.
 *
 * Runs:     in tests, as any user who may make namespaces.
 * Promises: a build without its sandbox is an error; the machine's store and settings are not touched.
 * Source:   https://nixos.org/manual/nix/stable/command-ref/conf-file.html
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { host, type Outcome, type Place, run } from "./sandbox.ts";

/** In place of the machine's: Debian's turn the sandbox off. Without a group of build users a user namespace is used. */
const settings: Readonly<Record<string, string>> = {
  sandbox: "true",
  "sandbox-fallback": "false",
  "sandbox-paths": "",
  substitute: "false",
  "build-users-group": "",
};

export interface Build extends Outcome {
  /** The text of a file of the output, or of the output itself. */
  readonly read: (file?: string) => string;
}

/** `nix-build WORD...` in a fresh store, by the user whom `enter` makes it. */
export async function nixBuild(
  words: readonly string[],
  more: Readonly<Record<string, string>> = {},
  enter: Place["enter"] = host.enter,
): Promise<Build> {
  const root = mkdtempSync(join(tmpdir(), "fe-nix-"));
  chmodSync(root, 0o777);
  onTestFinished(() => {
    spawnSync("chmod", ["-R", "u+w", root]); // what is in a store is read-only
    rmSync(root, { recursive: true });
  });
  const options = Object.entries({ ...settings, ...more }).flatMap(([name, value]) => ["--option", name, value]);
  const command = ["nix-build", "--store", root, "--no-out-link", ...options, ...words];
  const outcome = await run(enter(command), { env: { HOME: root, NIX_CONF_DIR: root } });
  const output = join(root, outcome.stdout.trim());
  return { ...outcome, read: (file = "") => readFileSync(join(output, file), "utf8") };
}
