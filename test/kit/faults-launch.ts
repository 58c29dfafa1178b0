/**
 * The sweep of `fence run`: system calls of its front, of what becomes bubblewrap, and of the set-up in the sandbox.
 *
 * Runs:     in the tests of faults.
 * Promises: what may go on in spite of a fault is in a table with the reason; everything else must end with 125, or 126
 *           and 127 of execve, and one clear message; a kill shows as one. Nothing is left of any run.
 * Source:   docs/run.md, docs/errors.md
 */
import { availableParallelism } from "node:os";
import { type Fault, type FaultOutcome, launchWithFault, type Role, type Site } from "./faults.ts";
import { errnosOf } from "./faults-errnos.ts";

interface Exception {
  readonly roles: readonly Role[];
  readonly calls: readonly string[];
  readonly errnos?: readonly string[];
  readonly why: string;
}

/** Those that are the stub: few calls, all of them fence's. */
export const stubRoles: readonly Role[] = ["p0", "detach", "child", "in-p0", "in-detach", "in-keeper", "in-child"];

/** The program starts all the same, with all its restrictions. */
const harmless: readonly Exception[] = [
  {
    roles: stubRoles,
    calls: ["recvmsg", "sendmsg", "wait4", "ppoll"],
    errnos: ["EINTR"],
    why: "the call is made again",
  },
  { roles: stubRoles, calls: ["close"], why: "Linux frees the descriptor before it can fail, close(2)" },
  { roles: ["detach", "in-detach"], calls: ["setsid"], why: "cannot fail in a new process" },
];

/** The program may start all the same, with all its restrictions. */
const mayNotMatter: readonly Exception[] = [
  {
    roles: ["p0", "in-p0"],
    calls: ["chdir", "openat", "fcntl", "ioctl", "dup3", "kill", "pidfd_send_signal"],
    why: "a reaper does without; in P0 before it stays as one the same calls are needed",
  },
  {
    roles: ["p0", "in-p0"],
    calls: ["rt_sigaction", "rt_sigprocmask", "ppoll", "read", "wait4", "sendmsg", "recvmsg"],
    why: "a reaper looks again, or takes the other end for gone, when the program has ended",
  },
  { roles: ["in-keeper"], calls: Object.keys(errnosOf), why: "there is no bridge to keep; it may say why it ends" },
];

interface Case {
  readonly site: Site;
  readonly fault: Exclude<Fault, { kind: "none" | "kill-at" }>;
}

const notOurs = /^(exit_group|getpid|getppid|getpgid|getpgrp|getsid|clock_gettime|rt_sigreturn)$/;

/** `isLong`: all; else of each call of a process the first and the last, with its first errno, and a kill at each tenth. */
export async function launchCases(roles: readonly Role[], isLong: boolean): Promise<readonly Case[]> {
  const { sites } = await launchWithFault({ kind: "none" });
  const ours = sites.filter(({ role, call }) => roles.includes(role) && !notOurs.test(call));
  const same = (one: Site) => ours.filter(({ role, call }) => role === one.role && call === one.call);
  const tried = ours.filter((site) => isLong || site === same(site)[0] || site === same(site).at(-1));
  const fails = tried.flatMap((site) => {
    const errnos = errnosOf[site.call];
    if (errnos === undefined) throw new Error(`${site.role} calls ${site.call}, whose errnos nobody has listed`);
    return errnos
      .slice(0, isLong ? undefined : 1)
      .map((errno): Case => ({ site, fault: { kind: "fail", site, errno } }));
  });
  const killed = ours.filter((_, at) => isLong || at % 10 === 0);
  return [...fails, ...killed.map((site): Case => ({ site, fault: { kind: "kill", site } }))];
}

/** Runs all; answers what is wrong, a line each. */
export async function sweepLaunch(cases: readonly Case[]): Promise<readonly string[]> {
  const whole = await launchWithFault({ kind: "none" });
  const wrong: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let one = cases[next++]; one !== undefined; one = cases[next++]) {
      const outcome = await launchWithFault(one.fault);
      const found = [...wrongOfEnd(outcome, whole), ...wrongOf(one, outcome, whole)];
      if (found.length > 0) wrong.push(`${name(one)}: ${found.join("; ")}: ${JSON.stringify(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return wrong;
}

function name({ site: { role, call, occurrence }, fault }: Case): string {
  return `${role}: ${fault.kind === "kill" ? "killed at" : `${fault.errno} of`} ${call} ${occurrence}`;
}

function wrongOfEnd(outcome: FaultOutcome, whole: FaultOutcome): readonly string[] {
  const { hangs, left, paths, started, seccomp, noNewPrivs, stdout } = outcome;
  return [
    ...check(!hangs, `does not end: ${left.join(", ")}`),
    ...check(paths.join() === whole.paths.join(), "leaves something behind"),
    ...check(!started || (seccomp === 2 && noNewPrivs === 1), "the program is not restricted"),
    ...check(stdout === "" || stdout === whole.stdout, "the program reads what it may not"),
  ];
}

function wrongOf({ site, fault }: Case, outcome: FaultOutcome, whole: FaultOutcome): readonly string[] {
  const { injected, started, exit, signal, stderr } = outcome;
  const isWhole = exit === 0 && stderr === "" && outcome.stdout === whole.stdout;
  if (!injected) return check(isWhole, "it failed without a fault");
  if (fault.kind === "kill") {
    const isShown =
      site.role === "p0" ? signal === 9 : signal === 9 || exit === 137 || (exit === 125 && isReported(stderr));
    return check(isShown || (isWhole && site.role !== "p0"), "the kill is not shown");
  }
  const isMeant = ({ roles, calls, errnos }: Exception) =>
    roles.includes(site.role) && calls.includes(site.call) && (errnos?.includes(fault.errno) ?? true);
  if (harmless.some(isMeant)) return check(isWhole, "the program did not run");
  const isFine = isWhole || (site.role === "in-keeper" && started && exit === 0 && isReported(stderr));
  if (mayNotMatter.some(isMeant) && isFine) return [];
  const statuses = site.role === "in-child" && site.call === "execve" ? [126, 127] : [125];
  return [
    ...check(exit !== null && statuses.includes(exit), `the exit status is ${exit}`),
    ...check(isReported(stderr), "there is not one report"),
    ...check(!stderr.includes("FENCE_BUG") && !/^ {4}at /m.test(stderr), "a bug is reported"),
  ];
}

function isReported(stderr: string): boolean {
  const report = /^fence: .*\n {2}step: {2}\S.*\n( {2}hint: {2}.*\n)? {2}code: {2}FENCE_[A-Z_]+\n/m;
  return report.test(stderr) && stderr.match(/^fence: /gm)?.length === 1;
}

function check(isRight: boolean, wrong: string): readonly string[] {
  return isRight ? [] : [wrong];
}
