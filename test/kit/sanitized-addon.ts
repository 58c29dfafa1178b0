/**
 * A copy of the sources whose addon is compiled with AddressSanitizer and UndefinedBehaviorSanitizer, to run tests in.
 *
 * Runs:     in tests.
 * Promises: the tests and the children that they start load that addon and no other; the first finding ends them.
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nodePackage, root } from "../../build/paths.ts";

const flags = [
  ..."-shared -fPIC -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined".split(" "),
  ..."-fno-sanitize-recover=all -D_GNU_SOURCE -DNAPI_VERSION=9 -DNODE_GYP_MODULE_NAME=landlock_napi".split(" "),
];
const addon = `native/landlock-napi/prebuilds/linux-${process.arch}/landlock_napi.node`;

export interface SanitizedTree {
  /** Runs these test files there; answers vitest's exit status and all that was said. */
  test(files: readonly string[]): { readonly status: number | null; readonly output: string };
  /** Runs a script there, in the same way. */
  script(text: string): { readonly status: number | null; readonly output: string };
  remove(): void;
}

export function sanitizedTree(): SanitizedTree {
  const tree = mkdtempSync(join(tmpdir(), "sanitized-"));
  for (const name of ["src", "test", "native", "build", "docs", "package.json", "tsconfig.json"]) {
    cpSync(join(root, name), join(tree, name), { recursive: true });
  }
  mkdirSync(join(tree, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    const target = name === "landlock-napi" ? join(tree, "native/landlock-napi") : join(root, "node_modules", name);
    symlinkSync(target, join(tree, "node_modules", name), "dir");
  }
  rmSync(join(tree, addon), { force: true });
  const sources = globSync("native/landlock-napi/{src,relay}/*.c", { cwd: tree });
  const includes = ["-Inative/landlock-napi/uapi", `-I${nodePackage}/include/node`];
  const compiled = execute("cc", [...flags, ...includes, "-o", addon, ...sources], tree, {});
  if (compiled.status !== 0) throw new Error(`the addon cannot be compiled:\n${compiled.output}`);
  return {
    test: (files) =>
      execute("vitest", ["run", "--config", "test/vitest.config.ts", ...files], tree, sanitizerVariables()),
    script: (text) => execute("node", ["--input-type=module", "--eval", text], tree, sanitizerVariables()),
    remove: () => rmSync(tree, { recursive: true }),
  };
}

/** Node itself is not instrumented: the runtime must be there before it. What Node leaves is no leak of ours. */
function sanitizerVariables(): Readonly<Record<string, string>> {
  const runtimes = ["libasan.so", "libubsan.so"].map((name) =>
    spawnSync("cc", [`-print-file-name=${name}`], { encoding: "utf8" }).stdout.trim(),
  );
  return { LD_PRELOAD: runtimes.join(" "), ASAN_OPTIONS: "detect_leaks=0", UBSAN_OPTIONS: "print_stacktrace=1" };
}

function execute(
  command: string,
  args: readonly string[],
  cwd: string,
  variables: Readonly<Record<string, string>>,
): { readonly status: number | null; readonly output: string } {
  const bin = join(root, "node_modules/.bin");
  const env = { PATH: `${bin}:${process.env["PATH"]}`, NO_COLOR: "1", ...variables };
  const done = spawnSync(command, args, { cwd, encoding: "utf8", env, maxBuffer: 64 << 20 });
  if (done.error !== undefined) throw new Error(`cannot run ${command}: ${done.error.message}`);
  return { status: done.status, output: done.stdout + done.stderr };
}
