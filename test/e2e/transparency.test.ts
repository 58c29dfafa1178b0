import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import {
  arranged,
  asNobody,
  bootstrap,
  emptyRoot,
  fenced,
  folder,
  host,
  json,
  type Place,
  unfenced,
} from "../kit/sandbox.ts";

/** What the program sees of fence by design; its twin is given the variable by hand. */
const documented = { noNewPrivs: 1, seccompMode: 2 };
const fencesVariable = ["add-variable", "FENCE_SANDBOX=1"];

const signals = { hup: "1", int: "2", quit: "3", pipe: "13", term: "15", chld: "17", usr1: "10", tstp: "20", rt: "40" };

interface Situation {
  readonly what: string;
  readonly bwrap?: readonly string[];
  readonly steps?: readonly string[];
}

const situations: readonly Situation[] = [
  { what: "nothing special" },
  { what: "SIGHUP ignored, as nohup leaves it", steps: ["ignore", signals.hup] },
  { what: "SIGCHLD ignored", steps: ["ignore", signals.chld] },
  { what: "SIGPIPE ignored", steps: ["ignore", signals.pipe] },
  {
    what: "INT, QUIT, TERM and a real-time signal ignored",
    steps: [signals.int, signals.quit, signals.term, signals.rt].flatMap((signal) => ["ignore", signal]),
  },
  { what: "the C library's own signals ignored", steps: ["ignore", "32", "ignore", "33"] },
  { what: "SIGUSR1 blocked", steps: ["block", signals.usr1] },
  { what: "SIGCHLD blocked and ignored", steps: ["block", signals.chld, "ignore", signals.chld] },
  { what: "every signal blocked", steps: ["block-mask", "0xffffffffffffffff"] },
  { what: "a parent death signal", steps: ["death-signal", signals.usr1] },
  { what: "umask 0077", steps: ["umask", "0077"] },
  { what: "umask 0", steps: ["umask", "0"] },
  { what: "100 open files at most", steps: ["limit", "7", "100", "200"] },
  { what: "core files without a limit", steps: ["limit", "4", "-1", "-1"] },
  {
    what: "a limit on data and memory",
    steps: ["limit", "2", String(2 ** 33), "-1", "limit", "9", String(2 ** 36), "-1"],
  },
  { what: "a limit on CPU time", steps: ["limit", "0", "100", "200"] },
  { what: "inherited descriptors", steps: ["open", "5", "/probe", "open", "9", "/", "open", "333", "/probe"] },
  { what: "a closed descriptor between open ones", steps: ["close", "0", "open", "7", "/probe"] },
  { what: "another working directory", bwrap: ["--chdir", "/tmp/fence"] },
  { what: "other user and group ids", bwrap: ["--uid", "1234", "--gid", "4321"] },
  { what: "no capabilities", bwrap: ["--cap-drop", "ALL"] },
  { what: "one capability", bwrap: ["--uid", "0", "--cap-drop", "ALL", "--cap-add", "CAP_NET_BIND_SERVICE"] },
  { what: "PID 1", bwrap: ["--as-pid-1"] },
  { what: "a session of its own", bwrap: ["--new-session"] },
];

describe("in an empty root the program's facts are those of a direct exec, with", () => {
  beforeEach(requires("bwrap"));

  test.for(situations)("$what", async ({ bwrap = [], steps = [] }) => {
    const root = emptyRoot(...bwrap);
    const without = await unfenced(arranged(root, ...steps, ...fencesVariable), ["facts", "an argument"]);
    const withFence = await fenced(arranged(root, ...steps), [], ["facts", "an argument"]);
    expect(withFence).toEqual({ ...without, ...documented });
  });

  test("the same as an unprivileged user", async (context) => {
    requires("unprivileged bwrap")(context);
    const root = asNobody(emptyRoot());
    const without = await unfenced(arranged(root, ...fencesVariable), ["facts"]);
    expect(await fenced(root, [], ["facts"])).toEqual({ ...without, ...documented });
  });

  test("--seccomp=off: no filter either", async () => {
    const root = emptyRoot();
    const without = await unfenced(arranged(root, ...fencesVariable), ["facts"]);
    const withFence = await fenced(root, ["--seccomp=off"], ["facts"]);
    expect(withFence).toEqual({ ...without, noNewPrivs: 1, seccompMode: 0 });
  });
});

describe("on the host", () => {
  test("the program is the very process that its parent started", async () => {
    const outcome = await bootstrap(host, [], [host.probe, "facts"]);
    expect(json(outcome)).toMatchObject({ pid: outcome.pid, ppid: process.pid });
  });

  test("session and process group are the caller's", async () => {
    const { pgid, sid } = await unfenced(host, ["facts"]);
    expect(await fenced(host, [], ["facts"])).toMatchObject({ pgid, sid });
  });

  test("in a working directory that is gone the program runs", async () => {
    const gone = folder();
    const start = arranged(host, "chdir", gone, "remove-directory", gone);
    const outcome = await bootstrap(start, [], [host.probe, "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stderr: "" });
  });
});

describe("the program has no child that it did not start", () => {
  const [wait4, noHangAllKinds] = [process.arch === "x64" ? 61 : 260, 0x4000_0001];

  test.for<{ where: string; needs: readonly string[]; place: () => Place }>([
    { where: "on the host", needs: [], place: () => host },
    { where: "in an empty root", needs: ["bwrap"], place: emptyRoot },
    { where: "with SIGCHLD ignored", needs: [], place: () => arranged(host, "ignore", signals.chld) },
  ])("$where", async ({ needs, place }, context) => {
    requires(...needs)(context);
    const waitForAny = ["syscall", wait4, -1, 0, noHangAllKinds, 0];
    expect(await unfenced(place(), waitForAny)).toMatchObject({ errno: "ECHILD" });
    expect(await fenced(place(), [], waitForAny)).toMatchObject({ errno: "ECHILD" });
  });
});
