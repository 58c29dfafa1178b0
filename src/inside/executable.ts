/**
 * Looks at a program's file: what it is, and which interpreters the kernel starts for it.
 *
 * Runs:     sandbox, in the set-up Node, or on the host, after execve(2) of the program failed.
 * Promises: never fails: a file that cannot be looked at is one of which nothing is known.
 * Source:   execve(2), elf(5)
 */
import type { ProgramFiles } from "../sys/program-files.ts";

/** "special": a device, a pipe or a socket. */
export type ExecutableKind = "missing" | "unknown" | "directory" | "special" | "script" | "elf" | "other";

export interface Executable {
  readonly path: string;
  readonly kind: ExecutableKind;
  /** Whether anybody may execute it. */
  readonly hasExecuteBit: boolean;
  /** The interpreter of a #! line, or the dynamic loader of an ELF file, as the file names it. */
  readonly interpreter: string | null;
}

/** The kernel follows as many, execve(2). */
const longestChain = 5;

/**
 * The program's file, then the interpreter that it names, then that one's, until one names none or is not there.
 * `directory` is the program's working directory.
 */
export function executableChain(
  path: string,
  directory: string,
  files: ProgramFiles,
): readonly [Executable, ...Executable[]] {
  const first = inspect(inDirectory(directory, path), files);
  const chain: [Executable, ...Executable[]] = [first];
  for (let last = first; last.interpreter !== null && chain.length < longestChain; ) {
    last = inspect(inDirectory(directory, last.interpreter), files);
    chain.push(last);
  }
  return chain;
}

/** Not resolve() of node:path: the kernel takes `..` after a symbolic link from where the link leads. */
export function inDirectory(directory: string, path: string): string {
  return path.startsWith("/") || directory === "." ? path : `${directory}/${path}`;
}

function inspect(path: string, files: ProgramFiles): Executable {
  const found = files.find(path);
  // "unknown": execve(2) could not look at it either
  if (typeof found === "string") return { path, kind: found, hasExecuteBit: false, interpreter: null };
  const { type, hasExecuteBit } = found;
  if (type !== "file") return { path, kind: type, hasExecuteBit, interpreter: null };
  return { path, hasExecuteBit, ...contents(files.head(path, headBytes)) };
}

/** Enough of a file to hold its #! line or its program headers, and mostly the loader's name. */
const headBytes = 64 << 10;
const shebangBytes = 256;

function contents(head: Buffer): Pick<Executable, "kind" | "interpreter"> {
  // Only spaces and tabs end the name: a carriage return belongs to it, binfmt_script(5).
  const script = /^#![ \t]*([^ \t\n\0]+)/.exec(head.toString("utf8", 0, shebangBytes));
  if (script !== null) return { kind: "script", interpreter: script[1] ?? null };
  if (!head.subarray(0, 4).equals(Buffer.from("\x7fELF"))) return { kind: "other", interpreter: null };
  return { kind: "elf", interpreter: elfInterpreter(head) };
}

/** struct Elf64_Ehdr and Elf64_Phdr, elf(5). */
const elf = { class64: 2, headerBytes: 64, phoff: 32, phnum: 56, phdrBytes: 56, interp: 3, phdrOffset: 8 } as const;

/** The string of PT_INTERP of a 64-bit file; null when it has none. */
function elfInterpreter(head: Buffer): string | null {
  if (head.length < elf.headerBytes || head[4] !== elf.class64) return null;
  const first = Number(head.readBigUInt64LE(elf.phoff));
  const last = first + head.readUInt16LE(elf.phnum) * elf.phdrBytes;
  for (let at = first; at < last && at + elf.phdrBytes <= head.length; at += elf.phdrBytes) {
    if (head.readUInt32LE(at) !== elf.interp) continue;
    const start = Number(head.readBigUInt64LE(at + elf.phdrOffset));
    const end = head.indexOf(0, start);
    return end === -1 ? null : head.toString("utf8", start, end);
  }
  return null;
}
