/**
 * Tries the packed executable where it has to work: an empty, read-only root with nothing but /proc.
 *
 * Runs:     on the build machine, after packing.
 * Promises: a build that ends well has made an executable that starts without a libc, a loader or a shell.
 */
import { spawnSync } from "node:child_process";
import { fence } from "./paths.ts";

export function verify(): void {
  verifyPart(["--version", "--json"]);
  verifyPart(["run", "--help"]);
  const inEmptyRoot = ["--unshare-all", "--proc", "/proc", "--ro-bind", fence, "/fence", "--remount-ro", "/"];
  // It is its own program: the one static executable that is certainly there.
  const command = ["/fence", "bootstrap", "--rox", "/", "--landlock=best-effort", "--", "/fence", "--version"];
  const done = spawnSync("bwrap", [...inEmptyRoot, ...command], { encoding: "utf8" });
  if (done.error !== undefined) throw new Error(`cannot run bwrap: ${done.error.message}`);
  // V8 says on standard error when it rejects the code cache.
  if (done.status === 0 && done.stdout.startsWith("fence ") && done.stderr === "") return;
  if (/^bwrap: (?!execvp)/m.test(done.stderr)) {
    console.warn(`build: not verified in an empty root, bubblewrap cannot make one here: ${done.stderr.trim()}`);
    return;
  }
  throw new Error(
    `dist/fence does not start well in an empty root: exit ${done.status ?? done.signal}\n${done.stderr}`,
  );
}

/** A part has a code cache of its own, and fence says so when V8 rejects it. */
function verifyPart(args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(fence, args, { encoding: "utf8" });
  if (status === 0 && stdout !== "" && stderr === "") return;
  throw new Error(`dist/fence ${args.join(" ")} does not load its part: exit ${status}\n${stderr}`);
}
