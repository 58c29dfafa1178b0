/**
 * Parts of the stub, compiled with a libc and sanitizers beside a driver that tries them.
 *
 * Runs:     in tests, and for as long as wanted by test/fuzz/stub.ts.
 * Promises: a sanitizer's report, or any other noise, is an error.
 */
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../../..");
const flags = "-std=gnu11 -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer".split(" ");
const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
/** text.c defines what a libc has too: under other names it is tested, and the sanitizers keep their own. */
const renamed = ["memcpy", "memset", "memcmp"].map((name) => `-D${name}=stub_${name}`);

/** Which of the stub's files each driver is compiled with. */
const partsOf = {
  "keeper-driver": ["channel", "descriptor", "text", "fail"],
  "attempts-driver": [],
  "given-driver": ["channel", "descriptor", "given", "text"],
  "reaper-driver": [
    "arguments",
    "channel",
    "descriptor",
    "fail",
    "socket-factory",
    "standard-error",
    "terminal",
    "text",
  ],
  "steps-driver": ["channel", "descriptor", "exec-plan", "last-steps", "set-up-steps", "text"],
  "units-driver": ["arguments", "channel", "descriptor", "fail", "proc-list", "text"],
} as const;

export type DriverName = keyof typeof partsOf;

export interface Driver {
  /** Its standard output. */
  run(args: readonly string[], input?: Uint8Array): string;
  /** The same, with what is on standard error, which is no error here. */
  messages(args: readonly string[]): string;
  /** Both. */
  outputs(args: readonly string[], input?: Uint8Array): { readonly stdout: string; readonly stderr: string };
}

/** Compiles into the folder, which the caller removes. */
export function compileDriver(name: DriverName, folder: string): Driver {
  const compile = (...args: string[]) => execute("cc", [...flags, ...sanitizers, ...renamed, "-fno-builtin", ...args]);
  const objects = partsOf[name].map((part) => {
    const object = join(folder, `${name}-${part}.o`);
    compile("-c", "-o", object, `${root}/native/stub/${part}.c`);
    return object;
  });
  const executable = join(folder, name);
  compile("-o", executable, join(import.meta.dirname, `${name}.c`), ...objects);
  return {
    run: (args, input) => {
      const { stdout, stderr } = execute(executable, args, input);
      if (stderr !== "") throw new Error(`${name} says:\n${stderr}`);
      return stdout;
    },
    messages: (args) => execute(executable, args).stderr,
    outputs: (args, input) => execute(executable, args, input),
  };
}

function execute(command: string, args: readonly string[], input: Uint8Array = Buffer.alloc(0)) {
  const done = spawnSync(command, args, { input, encoding: "utf8", maxBuffer: 64 << 20 });
  if (done.error !== undefined) throw new Error(`cannot run ${command}: ${done.error.message}`);
  if (done.status === 0) return { stdout: done.stdout, stderr: done.stderr };
  throw new Error(`${command} ended with ${done.status ?? done.signal}:\n${done.stderr}`);
}
