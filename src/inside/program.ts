/**
 * Finds the program, and explains why it could not be executed.
 *
 * Runs:     sandbox, in the set-up Node, which stays unrestricted; or on the host, which sees the sandbox's files through a door.
 * Promises: the program is looked up once, before any restriction; a missing interpreter is told from a missing program.
 * Source:   execve(2), execvp(3)
 */
import { dirname } from "node:path";
import { FenceError } from "../base/errors.ts";
import { quoted } from "../base/quote.ts";
import type { RulesetChoice } from "../landlock/ruleset.ts";
import type { ProgramStep } from "../plan/exec-plan.ts";
import { describeFailure, errnoName } from "../sys/errno.ts";
import { ownFiles, type ProgramFiles } from "../sys/program-files.ts";
import { type Executable, executableChain, inDirectory } from "./executable.ts";
import type { ProgramRequest } from "./request.ts";
import { allows } from "./ruleset.ts";

const step = "exec";
/** Where execvp(3) looks when there is no PATH. */
const defaultPath = "/bin:/usr/bin";

/** How P0 executes the program. `path` and `directory` are the program's PATH and working directory. */
export function findProgram(program: ProgramRequest, path: string | undefined, directory: string): ProgramStep {
  const [name] = program.argv;
  if (name === undefined) {
    throw new FenceError("FENCE_USAGE", "no PROGRAM was named", { hint: "fence bootstrap --help" });
  }
  refuseEmptyName(name);
  if (program.kind === "original") {
    if (name.includes("/")) return { kind: "exec-original", index: program.first };
    refuseOtherBytes(name);
  }
  return { kind: "exec", path: name.includes("/") ? name : search(name, path ?? defaultPath, directory) };
}

/** Throws FENCE_PROGRAM_NOT_FOUND. */
export function refuseEmptyName(name: string): void {
  if (name === "") throw new FenceError("FENCE_PROGRAM_NOT_FOUND", "the name of the program is empty", { step });
}

/** U+FFFD is what Node makes of bytes that are not UTF-8: the name that was meant is lost. */
function refuseOtherBytes(name: string): void {
  if (!name.includes("\uFFFD")) return;
  throw new FenceError("FENCE_PROGRAM_NOT_FOUND", "a program whose name is not valid UTF-8 is not searched for", {
    step,
    hint: "name it by its path",
  });
}

/** Where a name without a slash is looked for; `path` is the program's PATH. */
export function searchPaths(name: string, path: string = defaultPath): [string, ...string[]] {
  // An empty folder is the working directory, execvp(3).
  const [first = "", ...rest] = path.split(":").map((folder) => `${folder === "" ? "." : folder}/${name}`);
  return [first, ...rest];
}

/** As execvp(3), but a script without a #! line is not given to a shell, and directories do not count. */
function search(name: string, path: string, directory: string): string {
  const paths = searchPaths(name, path);
  const found = firstExecutable(paths, directory, ownFiles);
  if (found === null) throw explainSearch(name, paths, directory, ownFiles);
  return found;
}

/** What P0's step `search` finds; null: nothing. */
export function firstExecutable(paths: readonly string[], directory: string, files: ProgramFiles): string | null {
  return paths.find((path) => candidateKind(inDirectory(directory, path), files) === "executable") ?? null;
}

/** Why none of the paths could be executed. What looks as if it could be was refused to the process that tried. */
export function explainSearch(
  name: string,
  paths: readonly string[],
  directory: string,
  files: ProgramFiles,
): FenceError {
  for (const path of paths) {
    const kind = candidateKind(inDirectory(directory, path), files);
    if (kind !== "none") return refusedCandidate(path, kind);
  }
  return new FenceError("FENCE_PROGRAM_NOT_FOUND", `cannot find ${quoted(name)} in PATH`, {
    step,
    path: name,
    errno: "ENOENT",
    hint: `none of its ${paths.length} folders has it inside the sandbox: name the program by its path, or set PATH`,
  });
}

type CandidateKind = "executable" | "refused" | "special" | "none";

function refusedCandidate(path: string, kind: Exclude<CandidateKind, "none">): FenceError {
  const { why, hint } =
    kind === "special"
      ? special
      : { why: "it may not be executed", hint: `chmod +x ${path}, on a file system that is not mounted noexec` };
  return new FenceError("FENCE_PROGRAM_CANNOT_RUN", `cannot run ${path}: ${why}`, { step, path, hint });
}

function candidateKind(path: string, files: ProgramFiles): CandidateKind {
  const found = files.find(path);
  // Whatever the reason, the search goes on as execvp(3) does.
  if (typeof found === "string" || found.type === "directory") return "none";
  if (found.type === "special") return "special";
  return files.mayExecute(path) ? "executable" : "refused";
}

/** What P0's failed execve(2) of the program means to the user. */
export function explainExec(
  name: string,
  directory: string,
  result: number,
  choice: RulesetChoice,
  files: ProgramFiles = ownFiles,
): FenceError {
  const chain = executableChain(name, directory, files);
  const errno = errnoName(result);
  const isMissing = chain[0].kind === "missing" && (errno === "ENOENT" || errno === "ENOTDIR");
  const { why, hint } = isMissing ? explainMissing(chain[0].path, files) : explainFailure(errno, chain, choice, files);
  const code = isMissing ? "FENCE_PROGRAM_NOT_FOUND" : "FENCE_PROGRAM_CANNOT_RUN";
  const call = describeFailure("execve", result);
  return new FenceError(code, `cannot run ${name}: ${call}${why === "" ? "" : `: ${why}`}`, {
    step,
    syscall: "execve",
    path: chain[0].path,
    errno,
    ...(hint !== "" && { hint }),
  });
}

interface Explanation {
  /** Empty when the errno says it all. */
  readonly why: string;
  readonly hint: string;
}

/** What sandbox makers put over a file to hide it. */
const special: Explanation = {
  why: "it is a device or another special file, mounted in place of a program",
  hint: "do not mask it; where names such as sh and wget are links to one busybox, masking one of them masks all",
};

function explainMissing(path: string, files: ProgramFiles): Explanation {
  const target = files.linkTarget(path);
  const hint = "the program must exist inside the sandbox";
  return target === null ? { why: "", hint } : { why: `it is a symbolic link to ${target}, which is not there`, hint };
}

function explainFailure(
  errno: string,
  chain: readonly [Executable, ...Executable[]],
  choice: RulesetChoice,
  files: ProgramFiles,
): Explanation {
  if (chain[0].kind === "directory") return { why: "it is a directory", hint: "" };
  if (chain[0].kind === "special") return special;
  switch (errno) {
    case "ENOENT":
      return explainMissingInterpreter(chain);
    case "EACCES":
      return explainDenied(chain, choice, files);
    case "ENOEXEC":
      return { why: "it is no program for this machine", hint: "a script needs a #! line" };
    case "E2BIG":
      return { why: "its arguments and environment together are too large", hint: "" };
    default:
      return { why: "", hint: "" };
  }
}

/** ENOENT although the file is there: the kernel means what it should start for it. */
function explainMissingInterpreter(chain: readonly Executable[]): Explanation {
  const at = chain.findIndex(({ kind }) => kind === "missing");
  const [missing, user] = [chain[at], chain[at - 1]];
  if (missing === undefined || user === undefined) return { why: "", hint: "" };
  const whose = at === 1 ? "the file is there, but" : `${user.path} is there, but`;
  if (user.kind === "elf") {
    return {
      why: `${whose} its ELF interpreter (the dynamic loader), ${missing.path}, is not`,
      hint: "bring the loader and its libraries into the sandbox, or link it statically",
    };
  }
  return {
    why: `${whose} the interpreter of its #! line, ${quoted(missing.path)}, is not`,
    hint: missing.path.endsWith("\r")
      ? "the line ends with a carriage return: convert the script to Unix line ends"
      : "bring the interpreter into the sandbox",
  };
}

function explainDenied(chain: readonly Executable[], choice: RulesetChoice, { realPath }: ProgramFiles): Explanation {
  const links = chain.map(({ path }) => ({ path, real: realPath(path) }));
  const denied = links.find(({ path, real }) => real !== null && !allows(choice, "EXECUTE", path, realPath));
  if (denied !== undefined) {
    return {
      why: `no Landlock rule allows to execute ${denied.path}`,
      hint: `add a rule, --rox ${dirname(denied.real ?? denied.path)} (in a plan "access": "rox")`,
    };
  }
  const plain = chain.find(({ kind, hasExecuteBit }) => kind !== "missing" && kind !== "unknown" && !hasExecuteBit);
  if (plain !== undefined) return { why: `${plain.path} has no execute permission`, hint: `chmod +x ${plain.path}` };
  return {
    why: "",
    hint: "this user may lack the permission, a folder above cannot be searched, or the file system is mounted noexec",
  };
}

/** As this process sees it. */
export const { realPath } = ownFiles;
