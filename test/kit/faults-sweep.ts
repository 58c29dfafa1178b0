/**
 * The sweep: every system call of a run, each with its faults, and what must come of them.
 *
 * Runs:     in the tests of faults.
 * Promises: what may go on in spite of a fault is in a table with the reason; everything else must end with 125 and one
 *           clear message; a call that nobody has thought of is an error.
 * Source:   docs/errors.md, docs/bootstrap.md
 */
import { availableParallelism } from "node:os";
import {
  type Fault,
  type FaultOutcome,
  forbidden,
  type Role,
  runWithFault,
  type Scenario,
  type Site,
} from "./faults.ts";
import { errnosOf, otherErrnos, otherNames } from "./faults-errnos.ts";

interface Exception {
  readonly roles: readonly Role[];
  readonly calls: readonly string[];
  /** Any, without it. */
  readonly errnos?: readonly string[];
  readonly when?: (site: Site, place: Place) => boolean;
  readonly why: string;
}

/** Where in a run a system call is. */
interface Place {
  /** In the set-up's stub: it is the loader that calls. */
  readonly isLoader: boolean;
  /** In the keeper: all has been taken. */
  readonly isKept: boolean;
  /** In the set-up: P0 has its plan. */
  readonly isHandedOver: boolean;
  /** In the set-up: the plan has been read. */
  readonly isListening: boolean;
  /** In P0: it stays as the reaper. */
  readonly isReaper: boolean;
  /** In the throw-away child: it makes the attempts. */
  readonly isTrying: boolean;
}

const everyone: readonly Role[] = ["p0", "detach", "setup", "setup-script", "keeper", "child", "rehearsal"];
const restarted = ["recvmsg", "sendmsg", "wait4", "sendfile", "ppoll"];
const F_GETFD = 1;
const SIOCGIFFLAGS = 0x8913;

/** The program starts all the same, with all its restrictions. */
const harmless: readonly Exception[] = [
  { roles: everyone, calls: restarted, errnos: ["EINTR"], why: "the call is made again" },
  {
    roles: everyone,
    calls: ["close"],
    when: (_, { isLoader }) => !isLoader,
    why: "Linux frees the descriptor before it can fail, close(2)",
  },
  { roles: ["detach"], calls: ["setsid"], why: "cannot fail in a new process" },
  { roles: ["setup"], calls: ["rt_sigprocmask", "rt_sigaction", "setitimer"], why: "cannot fail with these arguments" },
  {
    roles: ["setup"],
    calls: ["fcntl"],
    when: ({ arguments: [, command] }) => command === F_GETFD,
    why: "a standard descriptor that is open is left alone, a closed one is filled",
  },
  {
    roles: ["setup"],
    calls: ["prctl"],
    when: (_, { isLoader }) => !isLoader,
    why: "libraries come from memory files instead",
  },
  { roles: ["setup"], calls: ["brk"], when: ({ occurrence }) => occurrence < 3, why: "asks where the heap ends" },
  { roles: ["setup", "setup-script"], calls: ["memfd_create"], errnos: ["EINVAL"], why: "flags before Linux 6.3" },
  {
    roles: ["setup"],
    calls: ["access", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom"],
    when: (_, { isLoader }) => isLoader,
    why: "the loader does without",
  },
  {
    roles: ["setup-script"],
    calls: ["landlock_create_ruleset"],
    when: ({ arguments: [attributes], occurrence }) => attributes === 0 && occurrence > 1,
    why: "asks for the ABI or the errata again, which a kernel answers always or never",
  },
  {
    roles: ["setup-script"],
    calls: ["access", "readlink", "read", "fstat"],
    when: (_, { isListening }) => isListening,
    why: "looks that explain or repair, and Node's own; what they are for is tried again by the kernel",
  },
  {
    roles: ["setup-script"],
    calls: ["statx"],
    when: ({ occurrence }) => occurrence !== 2,
    why: "the second is of the listener; before it of its place, where what there is stays; then looks for the program, which execve(2) does again",
  },
  {
    roles: ["setup-script"],
    calls: ["ioctl"],
    when: ({ arguments: [, request] }) => request !== SIOCGIFFLAGS,
    why: "Node's own",
  },
  { roles: ["setup-script"], calls: ["statx"], errnos: ["ENOSYS"], why: "Node has another call" },
  { roles: ["setup-script"], calls: ["prctl"], why: "gives the process the name that it has in /proc/PID/comm" },
  {
    roles: ["setup-script"],
    calls: ["openat"],
    when: ({ occurrence }) => occurrence > 3,
    why: "only the first three are of a listener's directory and of rules; then Node's own, and looks before --verify",
  },
  {
    roles: ["setup-script"],
    calls: ["sendmsg", "write", "openat"],
    when: (_, { isHandedOver }) => isHandedOver,
    why: "the program has started, and the end of the set-up says so too",
  },
  { roles: ["keeper"], calls: ["chdir"], why: "without it a file system stays busy, which no protection depends on" },
  {
    roles: ["p0"],
    calls: ["rt_sigaction", "rt_sigprocmask", "ppoll", "read", "wait4", "clock_gettime", "sendmsg", "recvmsg", "chdir"],
    when: (_, { isReaper }) => isReaper,
    why: "the reaper looks again, and ends without waiting when it cannot tell the keeper",
  },
  { roles: ["keeper"], calls: Object.keys(errnosOf), when: (_, { isKept }) => isKept, why: "the program has started" },
];

interface Case {
  readonly fault: Exclude<Fault, { kind: "none" }>;
  readonly place: Place;
}

const nowhere: Place = {
  isLoader: false,
  isKept: false,
  isHandedOver: false,
  isListening: false,
  isReaper: false,
  isTrying: false,
};

/** Kills of the processes at times that have nothing to do with what they do. */
export function killsAtAnyTime(roles: readonly Role[], microseconds: readonly number[]): readonly Case[] {
  return microseconds.flatMap((time) =>
    roles.map((role): Case => ({ fault: { kind: "kill-at", microseconds: time, role }, place: nowhere })),
  );
}

/** Node's own, on its way to main.ts and out again: not fence's calls. */
const notOurs =
  /^(futex|munmap|madvise|epoll_\w+|io_uring_\w+|sched_\w+|clock_\w+|rt_sigreturn|getpid|getppid|exit_group)$/;
const notOursInScript = /^(mmap|mprotect|brk|rt_sig\w+)$/;

/** `isLong`: every errno of every call, and a kill at each; else the first errno, and a kill at every third, of relays at every tenth. */
export async function casesOf(
  scenario: Scenario,
  isLong: boolean,
  isMeant: (site: Site) => boolean = () => true,
): Promise<readonly Case[]> {
  const { sites } = await runWithFault(scenario, { kind: "none" });
  const places = sites.map((site, at) => ({ site, place: placeOf(sites, at, scenario.options.includes("--init")) }));
  const ours = places.filter(({ site }) => isOurs(site) && isMeant(site));
  const fails = ours.flatMap(({ site, place }) => {
    if (site.role === "bridges-script") return []; // the relays have tests of their own
    const errnos = errnosOf[site.call];
    if (errnos === undefined) throw new Error(`${site.role} calls ${site.call}, whose errnos nobody has listed`);
    const tried = isLong ? errnos : errnos.slice(0, 1);
    return tried.map((errno): Case => ({ fault: { kind: "fail", site, errno }, place }));
  });
  const kills = ours
    .filter(({ site }, at) => isLong || at % (site.role === "bridges-script" ? 10 : 3) === 0)
    .map(({ site, place }): Case => ({ fault: { kind: "kill", site }, place }));
  return [...fails, ...kills];
}

function isOurs({ role, call }: Site): boolean {
  if (role === "setup-node" || role === "bridges-node" || notOurs.test(call)) return false;
  return !(role === "setup-script" || role === "bridges-script") || !notOursInScript.test(call);
}

function placeOf(sites: readonly Site[], at: number, hasReaper: boolean): Place {
  const site = sites[at];
  const before = sites.slice(0, at).filter(({ role }) => role === site?.role);
  const calls = before.map(({ call }) => call);
  const handsOver = calls.includes("dup2") ? calls.lastIndexOf("sendmsg") : -1; // it leaves its standard streams just before
  return {
    isLoader: site?.role === "setup" && (site.call === "brk" || before.some(({ call }) => call === "brk")),
    isReaper: hasReaper && site?.role === "p0" && before.filter(({ call }) => call === "clone").length >= 2,
    isTrying: site?.role === "rehearsal" && before.some(({ call }) => call === "seccomp"),
    isKept: site?.role === "keeper" && before.some(({ call }) => call === "sendmsg"),
    isHandedOver: site?.role === "setup-script" && handsOver !== -1 && calls.lastIndexOf("dup2") < handsOver,
    isListening: site?.role === "setup-script" && calls.includes("socket"),
  };
}

/** Runs all; answers what is wrong, a line each. */
export async function sweep(scenario: Scenario, cases: readonly Case[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let one = cases[next++]; one !== undefined; one = cases[next++]) {
      const outcome = await runWithFault(scenario, one.fault);
      const faults = one.fault.kind === "fail" ? wrongOfFailure(one, outcome) : wrongOfKill(one, outcome);
      if (faults.length > 0) wrong.push(`${name(one)}: ${faults.join("; ")}: ${JSON.stringify(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return wrong;
}

function name({ fault }: Case): string {
  if (fault.kind === "kill-at") return `${fault.role}: killed after ${fault.microseconds} microseconds`;
  const { role, call, occurrence } = fault.site;
  return `${role}: ${fault.kind === "kill" ? "killed at" : `${fault.errno} of`} ${call} ${occurrence}`;
}

function wrongOfFailure({ fault, place }: Case, outcome: FaultOutcome): readonly string[] {
  if (fault.kind !== "fail") return [];
  const { site, errno } = fault;
  if (!outcome.injected) return wrongOfStart(outcome); // Node makes some calls only now and then
  const exception = harmless.find(({ roles, calls, errnos, when }) => {
    const isMeant = roles.includes(site.role) && calls.includes(site.call) && (errnos?.includes(errno) ?? true);
    return isMeant && (when === undefined || when(site, place));
  });
  const cannotRemove = site.role === "keeper" && ["statx", "unlinkat"].includes(site.call);
  const always = [...wrongOfEnd(outcome), ...check(!outcome.file || cannotRemove || isLost(site), "leaves its socket")];
  if (exception !== undefined && !mayBeHarmless(site, place)) return [...always, ...wrongOfStart(outcome)];
  if (mayBeHarmless(site, place) && outcome.started) return [...always, ...wrongOfStart(outcome)];
  if (site.role.startsWith("bridges")) return [...always, ...wrongOfBridges(outcome)];
  if (place.isTrying) return [...always, ...(outcome.started ? wrongOfStart(outcome) : wrongOfAttempt(outcome))];
  if (place.isHandedOver && outcome.started) {
    return [...always, ...wrongOfProtection(outcome), ...check(hasReport(outcome.stderr), "no report")];
  }
  return [...always, ...wrongOfRefusal(site, errno, place, outcome)];
}

/**
 * Now and then Node reads /proc/self/maps, in between: these may be of it or of a rule and the plan. Which call looks at a
 * rule's path, and which of the loader's mappings it can do without, depends on the C library.
 */
function mayBeHarmless({ role, call }: Site, { isLoader }: Place): boolean {
  if (role === "setup") return isLoader && call === "mmap";
  return role === "setup-script" && ["openat", "read", "fstat"].includes(call);
}

/** The only look at the new socket has failed: whose file it is cannot be known. */
function isLost({ role, call, occurrence }: Site): boolean {
  return role === "setup-script" && call === "statx" && occurrence === 2;
}

function wrongOfKill({ fault }: Case, outcome: FaultOutcome): readonly string[] {
  if (fault.kind === "fail") return [];
  const role = fault.kind === "kill" ? fault.site.role : fault.role;
  // The keeper alone removes the sockets of others that were killed.
  const always = [...wrongOfEnd(outcome), ...check(!outcome.file || role === "keeper", "leaves its socket")];
  if (outcome.started) return [...always, ...wrongOfProtection(outcome)];
  // Of a child the reaper dies as it did.
  const isOwn = (role === "p0" || role === "child") && outcome.injected;
  if (isOwn) return [...always, ...check(outcome.signal === 9, "P0 did not end by the signal")];
  return [
    ...always,
    ...check(outcome.exit === 125, "the exit status is not 125"),
    ...check(hasReport(outcome.stderr), "no report"),
    ...check(!outcome.stderr.includes("FENCE_BUG"), "a bug is reported"),
  ];
}

/** The program had started; the keeper reports a crash, or it did not matter. */
function wrongOfBridges(outcome: FaultOutcome): readonly string[] {
  const crashes = outcome.events.filter(({ event }) => event === "bridges-crashed");
  return [
    ...check(outcome.started && outcome.exit === 0, "the program failed"),
    ...wrongOfProtection(outcome),
    ...check(crashes.length <= 1, "it crashes again"),
  ];
}

/** The attempt has another result than a restricted process gets. */
function wrongOfAttempt({ exit, stderr }: FaultOutcome): readonly string[] {
  return [...check(exit === 125, "the exit status is not 125"), ...check(stderr.includes("FENCE_VERIFY"), "no report")];
}

function wrongOfStart(outcome: FaultOutcome): readonly string[] {
  return [
    ...check(outcome.started && outcome.exit === 0, "the program did not start"),
    ...check(outcome.stderr === "", "there is a message"),
    ...wrongOfProtection(outcome),
  ];
}

/** Landlock is proved by what the program tried. */
function wrongOfProtection({ seccomp, noNewPrivs, stdout }: FaultOutcome): readonly string[] {
  const denied = `{"action":"open-read","result":-1,"errno":"EACCES"}\n`;
  return [
    ...check(seccomp === 2, "the program has no filter"),
    ...check(noNewPrivs === 1, "the program may gain privileges"),
    ...check(stdout === denied || !stdout.includes("open-read"), `the program can read ${forbidden}`),
  ];
}

function wrongOfEnd({ hangs, left }: FaultOutcome): readonly string[] {
  return check(!hangs, `does not end: ${left.join(", ")}`);
}

function wrongOfRefusal(
  site: Site,
  errno: string,
  { isLoader, isReaper }: Place,
  outcome: FaultOutcome,
): readonly string[] {
  const { started, exit, stdout, stderr, events } = outcome;
  const statuses = site.call === "execve" ? [126, 127] : [125];
  const isQuery = site.call === "landlock_create_ruleset" && site.arguments[0] === 0;
  const isQuestion = site.role !== "setup" && site.call === "fcntl" && site.arguments[1] === F_GETFD;
  const isAnswer = site.role === "keeper" && site.call === "sendmsg";
  const isExplained = isLoader || isQuery || isQuestion || isAnswer; // in words, not by a call's name
  const calls = [site.call, ...(otherNames[site.call] ?? [])];
  const errnos = [errno, otherErrnos[errno] ?? errno];
  const failed = events.find(({ event }) => event === "failed");
  const ofAnother = site.role !== "setup-script"; // the set-up may only see that somebody has gone
  const isTold = failed !== undefined || events.length === 0 || stderr.includes("FENCE_STATUS");
  const expected: (string | null)[] = [
    ...errnos,
    ...(ofAnother ? ["EPIPE", "ECONNRESET"] : []),
    ...(isExplained ? [null] : []),
  ];
  return [
    // Beside a reaper that fails late the program may have begun, with all restrictions; it ends with it.
    ...check(isReaper || (!started && stdout === ""), "the program started"),
    ...check(exit !== null && statuses.includes(exit), `the exit status is ${exit}`),
    ...check(hasReport(stderr), "no report"),
    ...check(!stderr.includes("FENCE_BUG") && !/^ {4}at /m.test(stderr), "a bug is reported"),
    ...check(isExplained || errnos.some((one) => stderr.includes(`: ${one}`)), "the message lacks the errno"),
    ...check(isExplained || calls.some((call) => stderr.includes(`: ${call}: `)), "the message lacks the call"),
    ...check(isTold || isReaper, "no event tells of it"),
    ...check(
      failed === undefined || (expected.includes(failed.errno) && stderr.includes(failed.code)) || ofAnother,
      "the event tells of something else",
    ),
  ];
}

function hasReport(stderr: string): boolean {
  return /^fence: .*\n {2}step: {2}\S+\n( {2}hint: {2}.*\n)? {2}code: {2}FENCE_[A-Z_]+\n/m.test(stderr);
}

function check(isRight: boolean, wrong: string): readonly string[] {
  return isRight ? [] : [wrong];
}
