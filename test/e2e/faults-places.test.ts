import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, emptyRoot, fenced, host, type Place } from "../kit/sandbox.ts";

const RLIMIT_NOFILE = 7;
const bridges = ["--http-proxy", "unix:/s", "--bridge", "unix:/w/l=tcp:127.0.0.1:9"];

describe("a status descriptor", () => {
  test.for([
    { what: "that the kernel passes to nobody", step: ["io-uring", "4"], says: /sendmsg: EINVAL/, code: "FENCE_STUB" },
    { what: "on a full disk", step: ["open-write", "4", "/dev/full"], says: /write: ENOSPC/, code: "FENCE_STATUS" },
    { what: "that nobody reads", step: ["broken-pipe", "4"], says: /write: EPIPE/, code: "FENCE_STATUS" },
    { what: "that is for reading", step: ["open", "4", "/dev/null"], says: /write: EBADF/, code: "FENCE_STATUS" },
  ])("$what keeps the program from starting, with a message that says why", async ({ step, says, code }) => {
    const outcome = await bootstrap(arranged(host, ...step), ["--status-fd", "4"], [host.probe, "exit", "42"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(says);
    expect(outcome.stderr).toContain(`code:  ${code}\n`);
    const without = await bootstrap(arranged(host, ...step), [], [host.probe, "exit", "42"]);
    expect(without).toMatchObject({ status: 42, stderr: "" });
  });
});

describe("a network namespace whose loopback interface is down", () => {
  beforeEach(requires("root", "unshare"));
  const down: Place = { ...host, enter: (command) => ["unshare", "--net", "--", ...command] };
  const up: Place = {
    ...host,
    enter: (command) => ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", ...command],
  };

  test.for([
    { listen: "tcp:127.0.0.1:3128", says: "ioctl: ENETDOWN" },
    { listen: "tcp:127.9.8.7:3128", says: "ioctl: ENETDOWN" },
    { listen: "tcp:[::1]:3128", says: "bind: EADDRNOTAVAIL" },
  ])("has no listener on $listen: an error, with the remedy", async ({ listen, says }) => {
    const options = ["--bridge", `${listen}=unix:/no/such`];
    const outcome = await bootstrap(down, options, [host.probe, "exit", "42"]);
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toContain(says);
    expect(outcome.stderr).toMatch(/hint: {2}.*ip link set lo up\n {2}code: {2}FENCE_LISTEN\n/);
  });

  test("and that is put up as the hint says has one", async (context) => {
    requires("ip")(context);
    const outcome = await bootstrap(up, ["--http-proxy", "unix:/no/such"], [host.probe, "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stderr: "" });
  });
});

describe("with a limit on open files", () => {
  beforeEach(requires("bwrap"));
  const limits = Array.from({ length: 37 }, (_, i) => 4 + i);

  test("from 4 to 40 the program starts with all that was asked for, or not at all", async () => {
    const started: number[] = [];
    const options = [...bridges, "--rox", "/probe", "--ro", "/proc"];
    for (const limit of limits) {
      const place = arranged(emptyRoot("--tmpfs", "/w"), "limit", String(RLIMIT_NOFILE), `${limit}`, `${limit}`);
      const outcome = await bootstrap(place, options, ["/probe", "open-read", "/arrange"]);
      if (outcome.status === 0) {
        expect(outcome).toMatchObject({ stderr: "" });
        expect(JSON.parse(outcome.stdout)).toMatchObject({ errno: "EACCES" });
        started.push(limit);
        continue;
      }
      expect({ limit, ...outcome }).toMatchObject({ limit, status: 125, stdout: "" });
      expect(outcome.stderr).toMatch(/EMFILE|the limit on open files is too low/);
      expect(outcome.stderr).toMatch(/ {2}hint: {2}.*ulimit -n.*\n {2}code: {2}FENCE_\w+\n$/);
    }
    expect(started).toContain(40);
    expect(started).not.toContain(23);
  });
});

test("with a read-only /proc the program starts", async (context) => {
  requires("bwrap")(context);
  const place = emptyRoot("--remount-ro", "/proc");
  expect(await bootstrap(place, ["--rox", "/probe"], ["/probe", "exit", "42"])).toMatchObject({
    status: 42,
    stderr: "",
  });
  expect(await fenced(place, [], ["open-write", "/proc/self/comm"])).toMatchObject({ errno: "EROFS" });
});
