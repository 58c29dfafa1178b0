/**
 * The sweep of `fence run`: system calls of its front, of what becomes bubblewrap, and of what sets the sandbox up inside.
 *
 * Runs:     in the tests of faults.
 * Promises: what may go on in spite of a fault is in a table with the reason; everything else must end with 125, or 126
 *           and 127 of execve, and one clear message; a kill shows as one. Nothing is left of any run.
 * Source:   docs/run.md, docs/errors.md
 */
import { availableParallelism } from "node:os";
import { type Fault, type FaultOutcome, launchWithFault, type Role, type Site, type Way } from "./faults.ts";
import { errnosOf, otherErrnos, otherNames } from "./faults-errnos.ts";

interface Exception {
  readonly roles: readonly Role[];
  readonly calls: readonly string[];
  readonly errnos?: readonly string[];
  readonly when?: (site: Site) => boolean;
  readonly why: string;
}

/** Those that are the stub: few calls, all of them fence's. */
const onHost: readonly Role[] = ["p0", "detach", "child"];
const inside: Readonly<Record<Way, readonly Role[]>> = {
  launched: ["in-p0", "in-child"],
  standalone: ["in-p0", "in-detach", "in-keeper", "in-child"],
};
const everyone = [...onHost, ...inside.standalone];

/** The program starts all the same, with all its restrictions. */
const harmless: readonly Exception[] = [
  {
    roles: everyone,
    calls: ["recvmsg", "sendmsg", "wait4", "ppoll"],
    errnos: ["EINTR"],
    why: "the call is made again",
  },
  { roles: everyone, calls: ["close"], why: "Linux frees the descriptor before it can fail, close(2)" },
  { roles: ["detach", "in-detach"], calls: ["setsid"], why: "cannot fail in a new process" },
];

const PR_SET_CHILD_SUBREAPER = 36;
const F_GETFD = 1;

/** The program may start all the same, with all its restrictions. */
const mayNotMatter: readonly Exception[] = [
  {
    roles: ["p0", "in-p0"],
    calls: ["chdir", "openat", "fcntl", "ioctl", "dup3", "kill", "pidfd_send_signal"],
    why: "a reaper does without; in P0 before it stays as one the same calls are needed",
  },
  {
    roles: ["p0"],
    calls: ["prctl"],
    when: ({ arguments: [option] }) => option === PR_SET_CHILD_SUBREAPER,
    why: "the front does without: only a bubblewrap that is killed leaves an orphan",
  },
  {
    roles: ["p0", "in-p0"],
    calls: ["rt_sigaction", "rt_sigprocmask", "ppoll", "read", "wait4", "sendmsg", "recvmsg"],
    why: "a reaper looks again, or takes the other end for gone, when the program has ended",
  },
  { roles: ["in-keeper"], calls: Object.keys(errnosOf), why: "there is no bridge to keep; it may say why it ends" },
];

interface Case {
  readonly way: Way;
  readonly site: Site;
  readonly fault: Exclude<Fault, { kind: "none" | "kill-at" }>;
}

const notOurs = /^(exit_group|getpid|getppid|getpgid|getpgrp|getsid|clock_gettime|rt_sigreturn|futex|munmap|madvise)$/;

/** Of those that are only killed, at how many calls once. */
const strides: readonly { readonly role: Role; readonly every: number; readonly after?: string }[] = [
  { role: "setup", every: 70 },
  { role: "setup-script", every: 50 },
  /** From here on it has a child, which is not bound to it yet. */
  { role: "bwrap", every: 5, after: "clone" },
  { role: "in-bwrap", every: 80 },
];

/**
 * `isLong`: all; else of each call of a process the first and the last, with its first errno, and a kill at each tenth. The
 * host's processes are the same in both ways, and then tried in one.
 */
export async function launchCases(way: Way, isLong: boolean): Promise<readonly Case[]> {
  const { sites } = await launchWithFault(way, { kind: "none" });
  const ofRoles = (wanted: readonly Role[]) =>
    sites.filter(({ role, call }) => wanted.includes(role) && !notOurs.test(call));
  const hasHost = isLong || way === "launched";
  const ours = ofRoles([...(hasHost ? onHost : []), ...inside[way]]);
  const same = (one: Site) => ours.filter(({ role, call }) => role === one.role && call === one.call);
  const tried = ours.filter((site) => isLong || site === same(site)[0] || site === same(site).at(-1));
  const fails = tried.flatMap((site) => {
    const errnos = errnosOf[site.call];
    if (errnos === undefined) throw new Error(`${site.role} calls ${site.call}, whose errnos nobody has listed`);
    return errnos
      .slice(0, isLong ? undefined : 1)
      .map((errno): Case => ({ way, site, fault: { kind: "fail", site, errno } }));
  });
  const killed = [
    ...ours.filter((_, at) => isLong || at % 10 === 0),
    ...(hasHost ? strides : []).flatMap(({ role, every, after }) => {
      const all = ofRoles([role]);
      const from = isLong ? 0 : all.findIndex(({ call }) => call === after) + 1;
      return all.slice(from).filter((_, at) => at % (isLong ? 5 : every) === 0);
    }),
  ];
  return [...fails, ...killed.map((site): Case => ({ way, site, fault: { kind: "kill", site } }))];
}

/** Runs all; answers what is wrong, a line each. */
export async function sweepLaunch(way: Way, cases: readonly Case[]): Promise<readonly string[]> {
  const whole = await launchWithFault(way, { kind: "none" });
  const wrong: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let one = cases[next++]; one !== undefined; one = cases[next++]) {
      const outcome = await launchWithFault(way, one.fault);
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
  const isMeant = ({ roles, calls, errnos, when }: Exception) =>
    roles.includes(site.role) &&
    calls.includes(site.call) &&
    (errnos?.includes(fault.errno) ?? true) &&
    (when?.(site) ?? true);
  if (harmless.some(isMeant)) return check(isWhole, "the program did not run");
  const isFine = isWhole || (site.role === "in-keeper" && started && exit === 0 && isReported(stderr));
  const isReapers = mayNotMatter.some(isMeant);
  if (isReapers && isFine) return [];
  const isOfProgram = site.role === "in-child" && programCalls.includes(site.call) && !isOfRule(site);
  const statuses = isOfProgram ? [126, 127] : [125];
  const isNamed = isReapers || isOfProgram || isQuestion(site) || names(stderr, site.call, fault.errno);
  return [
    ...check(isNamed, "the message lacks the call or the errno"),
    ...check(exit !== null && statuses.includes(exit), `the exit status is ${exit}`),
    ...check(isReported(stderr), "there is not one report"),
    ...check(!stderr.includes("FENCE_BUG") && !/^ {4}at /m.test(stderr), "a bug is reported"),
  ];
}

/** A launched program is searched and started by these. */
const programCalls = ["statx", "faccessat2", "execve"];

/** P0 looks at the first path to find the program. */
function isOfRule({ call, occurrence }: Site): boolean {
  return call === "statx" && occurrence > 1;
}

/** Whether it is open: the answer is said in words, or is EBADF. */
function isQuestion({ call, arguments: [, command] }: Site): boolean {
  return call === "fcntl" && command === F_GETFD;
}

function names(stderr: string, call: string, errno: string): boolean {
  const calls = [call, ...(otherNames[call] ?? [])];
  const errnos = [errno, otherErrnos[errno] ?? errno];
  return calls.some((one) => errnos.some((other) => stderr.includes(`: ${one}: ${other}`)));
}

function isReported(stderr: string): boolean {
  const report = /^fence: .*\n {2}step: {2}\S.*\n( {2}hint: {2}.*\n)? {2}code: {2}FENCE_[A-Z_]+\n/m;
  return report.test(stderr) && stderr.match(/^fence: /gm)?.length === 1;
}

function check(isRight: boolean, wrong: string): readonly string[] {
  return isRight ? [] : [wrong];
}
