import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, emptyRoot, fenced, host, type Place, unfenced } from "../kit/sandbox.ts";
import { httpProxy } from "../kit/sandbox-proxy.ts";

// getrlimit(2)
const RLIMIT_DATA = 2;
const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
const RLIMIT_AS = 9;

const mb = 1 << 20;

function limited(place: Place, resource: number, value: number): Place {
  return arranged(place, "limit", String(resource), String(value), String(value));
}

describe.for([
  { name: "AS", what: "address space", resource: RLIMIT_AS, tooLow: [4, 64, 200, 400, 900, 1100, 1270], enough: 1300 },
  { name: "DATA", what: "data", resource: RLIMIT_DATA, tooLow: [1, 4, 16, 64, 400, 560, 630], enough: 650 },
])("with a limit on $what", ({ name, resource, tooLow, enough }) => {
  test.for(tooLow)("of %i MB fence ends with 125 and says why, and the program does not start", async (limit) => {
    const place = limited(host, resource, limit * mb);
    const outcome = await bootstrap(place, [], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/^fence: .*\n {2}step: {2}.*\n {2}hint: .*memory.*\n {2}code: {2}FENCE_STUB\n$/);
    expect(await unfenced(place, ["facts"])).toMatchObject({ errno: 0 });
  });

  test("that is only soft the program runs and has the same limit", async () => {
    const place = arranged(host, "limit", String(resource), String(16 * mb), String(enough * mb));
    const { rlimits } = await fenced(place, [], ["facts"]);
    expect(rlimits[name]).toEqual([String(16 * mb), String(enough * mb)]);
  });

  test(`of ${enough} MB the program runs and has the same limit`, async () => {
    const { rlimits } = await fenced(limited(host, resource, enough * mb), [], ["facts"]);
    expect(rlimits[name]).toEqual([String(enough * mb), String(enough * mb)]);
  });
});

describe("with a limit on processes", () => {
  beforeEach(requires("root", "setpriv"));

  /** Users of their own: the limit counts all processes of a user. */
  const asUser = (id: number): Place => ({
    ...host,
    enter: (command) => ["setpriv", "--reuid", `${id}`, "--regid", `${id}`, "--clear-groups", "--", ...command],
  });

  test.for([1, 2])("of %i fence ends with 125 and says why, and the program does not start", async (limit) => {
    const place = limited(asUser(64_400 + limit), RLIMIT_NPROC, limit);
    const outcome = await bootstrap(place, [], [host.probe, "facts"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/cannot start the set-up process: clone: EAGAIN\n.*\n {2}hint: .*ulimit -u/);
    expect(await unfenced(place, ["facts"])).toMatchObject({ errno: 0 });
  });

  test("of 20 the program runs and has the same limit", async () => {
    const { rlimits } = await fenced(limited(asUser(64_420), RLIMIT_NPROC, 20), [], ["facts"]);
    expect(rlimits.NPROC).toEqual(["20", "20"]);
  });
});

test("with a limit of 32 open files two bridges and file rules work", async (context) => {
  requires("bwrap")(context);
  const { socket } = await httpProxy();
  const place = limited(emptyRoot("--ro-bind", socket, "/s"), RLIMIT_NOFILE, 32);
  const options = ["--http-proxy", "unix:/s", "--socks-proxy", "unix:/s", "--rox", "/probe", "--ro", "/proc"];
  const get = ["http-get", 3128, "http://example.com/"];
  expect(await fenced(place, options, get)).toMatchObject({ errno: 0, status: "HTTP/1.1 200 OK" });
  expect(await unfenced(place, get)).toMatchObject({ errno: "ECONNREFUSED" });
});

test("with too few open files for a bridge fence says which limit, and the program does not start", async (context) => {
  requires("bwrap")(context);
  const bridges = Array.from({ length: 20 }, (_, i) => ["--bridge", `tcp:127.0.0.1:${5000 + i}=unix:/s`]).flat();
  const place = limited(emptyRoot(), RLIMIT_NOFILE, 32);
  const outcome = await bootstrap(place, bridges, ["/probe", "facts"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/EMFILE .*\n(.*\n)* {2}hint: {2}.*ulimit -n/);
  expect(await bootstrap(emptyRoot(), bridges, ["/probe", "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
});

test("under vm.memfd_noexec 2 bridges and file rules work in a sandbox too", async (context) => {
  requires("root", "unshare", "bwrap")(context);
  const { socket } = await httpProxy();
  const root = emptyRoot("--ro-bind", socket, "/s");
  // The setting belongs to the PID namespace and is handed down, memfd_create(2).
  const set = "echo 2 >/proc/sys/vm/memfd_noexec";
  const namespace = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", `${set} && exec "$@"`, "sh"];
  const place: Place = { ...root, enter: (command) => [...namespace, ...root.enter(command)] };
  const executableMemfd = ["syscall", process.arch === "x64" ? 319 : 279, 0, 0x10]; // refused before the name is read
  expect(await unfenced(place, executableMemfd)).toMatchObject({ errno: "EACCES" });
  expect(await unfenced(root, executableMemfd)).toMatchObject({ errno: "EFAULT" });
  const options = ["--http-proxy", "unix:/s", "--rox", "/probe"];
  const get = ["http-get", 3128, "http://example.com/"];
  expect(await fenced(place, options, get)).toMatchObject({ errno: 0, status: "HTTP/1.1 200 OK" });
  expect(await fenced(place, options, ["open-read", "/arrange"])).toMatchObject({ errno: "EACCES" });
  expect(await unfenced(place, ["open-read", "/arrange"])).toMatchObject({ errno: 0 });
});
