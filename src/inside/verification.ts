/**
 * `--verify`: what a throw-away child under the final restrictions must fail to do, and what it must be able to do.
 *
 * Runs:     sandbox, in the set-up Node.
 * Promises: every check would end otherwise without the restriction that it proves; none changes anything that
 *           outlives the child, not even where the restriction is missing.
 * Source:   docs/verify.md
 */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { FenceError } from "../base/errors.ts";
import type { RightName } from "../landlock/abi.ts";
import type { Ruleset, RulesetChoice } from "../landlock/ruleset.ts";
import type { Attempt, AttemptArgument } from "../plan/attempts.ts";
import { type SyscallName, syscallNumbers } from "../seccomp/syscalls.ts";
import type { Addon } from "../sys/addon.ts";
import { errnoName, systemError } from "../sys/errno.ts";
import { realPath } from "./program.ts";
import type { SeccompMode } from "./request.ts";
import { allows } from "./ruleset.ts";

export interface Check {
  /** As in "read the directory /". */
  readonly what: string;
  readonly expected: "denied" | "allowed";
  /** Who denies it: `landlock READ_DIR`, `seccomp`, ... or who allows it: `--ro`. */
  readonly by: string;
  /** The last one is what is judged; the others prepare it. */
  readonly attempts: readonly Attempt[];
  /** Of the last attempt: the errnos (positive) that mean "denied". */
  readonly denials: readonly number[];
  /** What it must return where it is allowed; null: anything but an error. */
  readonly value: number | null;
  /** Those that mean that this kernel cannot be asked. */
  readonly inconclusive: readonly number[];
}

export interface CheckOutcome {
  readonly what: string;
  readonly expected: Check["expected"];
  readonly by: string;
  /** `ok`, or the errno's name. */
  readonly result: string;
  readonly verdict: "proved" | "refuted" | "inconclusive";
}

export interface Restrictions {
  readonly choice: RulesetChoice;
  readonly seccomp: SeccompMode;
  readonly dropsCapabilities: boolean;
  /** PID of a process outside of the program's Landlock domain, of the same user. */
  readonly outsider: number;
  /** The address of a listening abstract Unix socket outside of it; null when the scope is not asked for. */
  readonly abstractAddress: Uint8Array | null;
  readonly executable: string;
  readonly programPath: string;
}

const [eperm, ebadf, eacces, einval, etxtbsy, enosys, eafnosupport] = [1, 9, 13, 22, 26, 38, 97];
const atFdcwd = -100;
const { O_DIRECTORY, O_NOCTTY, O_NONBLOCK, O_WRONLY } = constants;
const openFlags = {
  read: O_NONBLOCK | O_NOCTTY,
  write: O_WRONLY | O_NONBLOCK | O_NOCTTY,
  directory: O_DIRECTORY | O_NONBLOCK,
};
const atExecveCheck = 0x10000;
const family = { unix: 1, ipv4: 2 } as const;
const stream = 1;
const getNoNewPrivs = 39;
const addNoRandomize = 0x0040000;
const peekData = 2;
const tiocsti = 0x5412;
/** The system calls that children try. */
export const triedCalls = [
  ...(["bind", "chroot", "connect", "execveat", "ioctl", "kill"] as const),
  ...(["openat", "personality", "prctl", "ptrace", "setns", "socket", "vmsplice"] as const),
] satisfies readonly SyscallName[];

/** More would not fit; a policy has rarely more than a dozen. */
const mostRules = 100;

export function checksOf(restrictions: Restrictions): readonly Check[] {
  const { choice, seccomp, dropsCapabilities } = restrictions;
  return [
    { ...allowed("have no_new_privs", "fence", [call("prctl", getNoNewPrivs, 0, 0, 0, 0)]), value: 1 },
    ...(choice.kind === "ruleset" ? landlockChecks(choice, restrictions) : []),
    ...(seccomp === "off" ? [] : seccompChecks()),
    ...(seccomp === "strict" ? strictChecks() : []),
    ...(dropsCapabilities && seccomp !== "strict" && mayChroot()
      ? [denied("change the root directory", "capabilities", [call("chroot", path("/"))], [eperm])]
      : []),
  ];
}

function landlockChecks(choice: Ruleset, restrictions: Restrictions): readonly Check[] {
  const handles = (right: RightName) => choice.handled.includes(right);
  return [
    ...(handles("READ_DIR") ? fileDenials(choice, restrictions) : []),
    ...(handles("CONNECT_TCP") ? [connectDenial(choice)] : []),
    ...(handles("BIND_TCP") ? [bindDenial(choice)] : []),
    ...(handles("SIGNAL") ? [signalDenial(restrictions.outsider)] : []),
    ...(restrictions.abstractAddress === null ? [] : [abstractDenial(restrictions.abstractAddress)]),
    ...(restrictions.dropsCapabilities ? [] : ruleGrants(choice)),
  ];
}

/** Where the unrestricted set-up may do it and no rule allows it, it must be Landlock that denies it. */
function fileDenials(choice: Ruleset, { executable, programPath }: Restrictions): readonly Check[] {
  const by = (right: RightName) => `landlock ${right}`;
  const directories = ["/", "/proc", "/etc"].filter(
    (directory) => mayUse(directory, constants.R_OK) && !allows(choice, "READ_DIR", directory, realPath),
  );
  const files = [programPath, executable].filter(
    (file) => mayUse(file, constants.W_OK) && !allows(choice, "WRITE_FILE", file, realPath),
  );
  const programs = [executable].filter((file) => !allows(choice, "EXECUTE", file, realPath));
  return [
    ...directories
      .slice(0, 1)
      .map((name) => denied(`read the directory ${name}`, by("READ_DIR"), [open(name, openFlags.directory)], [eacces])),
    ...files.slice(0, 1).map((name) => ({
      ...denied(`write to ${name}`, by("WRITE_FILE"), [open(name, openFlags.write)], [eacces]),
      inconclusive: [etxtbsy], // it runs somewhere: open(2) refuses before it asks Landlock
    })),
    ...programs.map((name) => ({
      ...denied(`execute ${name}`, by("EXECUTE"), [execveCheck(name)], [eacces]),
      inconclusive: [einval, enosys], // Linux 6.14 has AT_EXECVE_CHECK
    })),
  ];
}

/** Whether this process has CAP_SYS_CHROOT, or the denial would prove nothing. */
function mayChroot(): boolean {
  const sysChroot = 1n << 18n;
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(processStatus()) ?? [];
  return effective !== undefined && (BigInt(`0x${effective}`) & sysChroot) !== 0n;
}

function processStatus(): string {
  try {
    return readFileSync("/proc/self/status").toString();
  } catch {
    return ""; // then the check is not made
  }
}

function mayUse(name: string, mode: number): boolean {
  try {
    accessSync(name, mode);
    return true;
  } catch {
    return false; // then its denial would prove nothing of Landlock
  }
}

/** What the rules name can be read, unless permissions or another sandbox forbid it to the set-up as well. */
function ruleGrants(choice: Ruleset): readonly Check[] {
  return choice.paths.slice(0, mostRules).flatMap(({ path: name, causes }) => {
    const isDirectory = directoryOrFile(name);
    const reads = causes.some((cause) => cause !== "--unix" && cause !== "fence");
    if (isDirectory === null || !reads || !mayUse(name, constants.R_OK) || name.startsWith("/proc/self")) return [];
    const flags = isDirectory ? openFlags.directory : openFlags.read;
    return [allowed(`read ${name}`, causes.join(", "), [open(name, flags)])];
  });
}

/** null for what must not be opened to see whether it can be: a device or a FIFO. */
function directoryOrFile(name: string): boolean | null {
  const stats = statSync(name, { throwIfNoEntry: false });
  if (stats === undefined || !(stats.isDirectory() || stats.isFile())) return null;
  return stats.isDirectory();
}

function connectDenial({ ports }: Ruleset): Check {
  const port = freePort(ports, 1, 1);
  const attempts = [call("socket", family.ipv4, stream, 0), call("connect", { resultOf: 0 }, loopback(port), 16)];
  return {
    ...denied(`connect to TCP port ${port}`, "landlock CONNECT_TCP", attempts, [eacces]),
    inconclusive: [ebadf, eafnosupport],
  };
}

function bindDenial({ ports }: Ruleset): Check {
  const port = freePort(ports, 49_151, -1);
  const attempts = [call("socket", family.ipv4, stream, 0), call("bind", { resultOf: 0 }, loopback(port), 16)];
  return {
    ...denied(`listen on TCP port ${port}`, "landlock BIND_TCP", attempts, [eacces]),
    inconclusive: [ebadf, eafnosupport],
  };
}

/** The next port that no rule names. */
function freePort(ports: Ruleset["ports"], first: number, direction: 1 | -1): number {
  let port = first;
  while (ports.some((rule) => rule.port === port)) port += direction;
  return port;
}

function signalDenial(outsider: number): Check {
  return denied("signal a process outside", "landlock SIGNAL", [call("kill", outsider, 0)], [eperm]);
}

function abstractDenial(address: Uint8Array): Check {
  const attempts = [call("socket", family.unix, stream, 0), call("connect", { resultOf: 0 }, address, address.length)];
  return denied("connect to an abstract Unix socket outside", "landlock ABSTRACT_UNIX_SOCKET", attempts, [eperm]);
}

function seccompChecks(): readonly Check[] {
  return [
    denied("switch address space randomisation off", "seccomp", [call("personality", addNoRandomize)], [eperm]),
    denied("trace a process", "seccomp", [call("ptrace", peekData, 0, 0, 0)], [eperm]),
    denied("type into the terminal", "seccomp", [call("ioctl", -1, tiocsti, 0)], [eperm]),
  ];
}

/** Neither is denied for want of a capability: the descriptor is looked at first. */
function strictChecks(): readonly Check[] {
  return [
    denied("enter a namespace", "seccomp strict", [call("setns", -1, 0)], [eperm]),
    denied("share its pages with a pipe", "seccomp strict", [call("vmsplice", -1, 0, 0, 0)], [enosys]),
  ];
}

function denied(what: string, by: string, attempts: readonly Attempt[], denials: readonly number[]): Check {
  return { what, expected: "denied", by, attempts, denials, value: null, inconclusive: [] };
}

function allowed(what: string, by: string, attempts: readonly Attempt[]): Check {
  return { what, expected: "allowed", by, attempts, denials: [], value: null, inconclusive: [] };
}

function call(name: (typeof triedCalls)[number], ...args: readonly AttemptArgument[]): Attempt {
  const number = syscallNumbers[name][process.arch === "x64" ? "x86_64" : "aarch64"];
  return { number: number ?? -1, args };
}

function open(name: string, flags: number): Attempt {
  return call("openat", atFdcwd, path(name), flags, 0);
}

function execveCheck(name: string): Attempt {
  return call("execveat", atFdcwd, path(name), "own-argv", 0, atExecveCheck);
}

function path(name: string): Uint8Array {
  return Buffer.from(`${name}\0`);
}

/** struct sockaddr_in of 127.0.0.1. */
function loopback(port: number): Uint8Array {
  return Uint8Array.of(family.ipv4, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
}

/** A listening abstract Unix socket with a name that the kernel chose. Throws FENCE_VERIFY. */
export function abstractListener(addon: Addon): { readonly fd: number; readonly address: Uint8Array } {
  const checked = (syscall: string, result: number) => {
    if (result >= 0) return result;
    throw systemError("FENCE_VERIFY", "cannot make an abstract Unix socket to try", syscall, result, {
      step: "verify",
    });
  };
  const fd = checked("socket", addon.socket(family.unix));
  const name = Buffer.alloc(108 + 2);
  checked("bind", addon.bind(fd, Uint8Array.of(family.unix, 0))); // autobind, unix(7)
  checked("listen", addon.listen(fd, 1));
  return { fd, address: name.subarray(0, checked("getsockname", addon.socketName(fd, name))) };
}

/** All attempts of the checks, one list; what refers to an earlier one does so within its own check. */
export function attemptsOf(checks: readonly Check[]): readonly Attempt[] {
  const all: Attempt[] = [];
  for (const { attempts } of checks) {
    const first = all.length;
    const moved = (arg: AttemptArgument): AttemptArgument =>
      typeof arg === "object" && "resultOf" in arg ? { resultOf: arg.resultOf + first } : arg;
    all.push(...attempts.map(({ number, args }) => ({ number, args: args.map(moved) })));
  }
  return all;
}

/** `results` are those of attemptsOf(), negative errnos; fewer when the child has ended early. Throws FENCE_VERIFY. */
export function judge(checks: readonly Check[], results: readonly number[]): readonly CheckOutcome[] {
  let end = 0;
  const outcomes = checks.map((check) => {
    end += check.attempts.length;
    return outcomeOf(check, results[end - 1]);
  });
  const refuted = outcomes.find(({ verdict }) => verdict === "refuted");
  if (refuted === undefined) return outcomes;
  const { what, expected, by, result } = refuted;
  const must = expected === "denied" ? "not be able to" : "be able to";
  throw new FenceError("FENCE_VERIFY", `the program must ${must} ${what} (${by}), but that gave ${result}`, {
    step: "verify",
    hint: "the kernel, or a sandbox around this one, does not do what was asked: the program was not started",
  });
}

function outcomeOf(check: Check, result: number | undefined): CheckOutcome {
  const { what, expected, by } = check;
  return { what, expected, by, result: resultName(result), verdict: verdictOf(check, result) };
}

function resultName(result: number | undefined): string {
  if (result === undefined) return "no answer";
  return result < 0 ? errnoName(result) : "ok";
}

function verdictOf({ expected, denials, value, inconclusive }: Check, result: number | undefined) {
  if (result === undefined) return "refuted";
  if (inconclusive.includes(-result)) return "inconclusive";
  const isExpected = expected === "denied" ? denials.includes(-result) : result >= 0 && (value ?? result) === result;
  return isExpected ? "proved" : "refuted";
}
