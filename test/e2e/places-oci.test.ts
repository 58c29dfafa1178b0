import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { fence, type Json, json, run } from "../kit/sandbox.ts";
import { example, exampleOptions, probe, runExample, signalled, withoutInit } from "../kit/sandbox-bundle.ts";
import { crunNeeds } from "../kit/sandbox-oci.ts";
import { hello, httpProxy } from "../kit/sandbox-proxy.ts";

beforeEach(requires(...crunNeeds));

test("the example fetches through the proxy, and nothing but fence leads there", async () => {
  const proxy = await httpProxy();
  expect(await runExample({}, proxy)).toMatchObject({ status: 0, stdout: hello, stderr: "" });
  expect(proxy.asked).toEqual(["GET http://example.com/"]);
  const change = ({ process }: Json) => process.env.push("http_proxy=http://127.0.0.1:3128");
  const twin = await runExample({ withoutFence: true, change }, proxy);
  expect(twin).toMatchObject({ status: 1, stdout: "" });
  expect(twin.stderr).toContain("Connection refused");
});

test("the example reads and writes nothing but what it was granted", async () => {
  for (const { action, fenced, unfenced } of [
    { action: probe("open-read", "/fence"), fenced: "EACCES", unfenced: 0 },
    { action: probe("open-read", "/proc/self/status"), fenced: "EACCES", unfenced: 0 },
    { action: probe("create", "/dev/x"), fenced: "EACCES", unfenced: 0 },
    { action: probe("keyctl"), fenced: "EPERM", unfenced: 0 },
  ]) {
    expect(json(await runExample({ program: action }))).toMatchObject({ errno: fenced });
    expect(json(await runExample({ program: action, withoutFence: true }))).toMatchObject({ errno: unfenced });
  }
});

test.for([0, 1, 42, 125, 126, 127, 255])("the container's exit status is the program's: %i", async (status) => {
  expect(await runExample({ program: probe("exit", status) })).toMatchObject({ status, stderr: "" });
});

test("the bundle runs dist/fence", async () => {
  const change = ({ process }: Json) => {
    process.args = ["/fence", "--version", "--json"];
  };
  expect((await runExample({ change })).stdout).toBe((await run([fence, "--version", "--json"])).stdout);
});

test("a status descriptor comes from outside by --preserve-fds", async () => {
  const options = [...exampleOptions, "--status-fd", "4"];
  const { run: command } = await example({ options });
  const passing = command.flatMap((word) => (word === "run" ? ["run", "--preserve-fds=2"] : [word]));
  const { status, output4 } = await run(passing, { input3: "", collects4: true });
  const [starting = "", ready = ""] = output4.split("\n");
  expect(status).toBe(0);
  expect(JSON.parse(starting)).toMatchObject({ event: "starting" });
  expect(JSON.parse(ready)).toMatchObject({
    event: "ready",
    isolation: { landlock: { enforced: true }, noNewPrivs: true },
  });
});

describe("a signal that crun sends, without --init,", () => {
  const SIGUSR1 = 10;
  const SIGTERM = 15;

  test.for([
    { what: "reaches a program that waits for it", waitsFor: SIGTERM, sent: ["SIGTERM"], is: [SIGTERM, 0] },
    {
      what: "is ignored by a PID 1 that does not handle it",
      waitsFor: SIGUSR1,
      sent: ["SIGTERM", "SIGUSR1"],
      is: [SIGUSR1, 0],
    },
    { what: "kills it when it is SIGKILL", waitsFor: SIGTERM, sent: ["SIGKILL"], is: [null, 137] },
  ] as const)("$what, as without fence", async ({ waitsFor, sent, is }) => {
    const program = probe("wait-signal", waitsFor);
    const outcome = { result: is[0], status: is[1] };
    expect(await signalled({ options: withoutInit, program }, sent)).toEqual(outcome);
    expect(await signalled({ program, withoutFence: true }, sent)).toEqual(outcome);
  });
});

test("without /proc fence says what to mount, and the program does not start", async () => {
  const change = (config: Json) => {
    config.mounts = config.mounts.filter(({ destination }: Json) => destination !== "/proc");
  };
  const outcome = await runExample({ program: probe("facts"), change });
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toContain("hint:  mount /proc in the sandbox");
  expect(json(await runExample({ program: probe("facts"), withoutFence: true, change }))).toMatchObject({ errno: 0 });
});

test.for(["hidepid=2", "subset=pid"])("with /proc mounted with %s the example is the same", async (option) => {
  const change = (config: Json) => config.mounts[0].options.push(option);
  expect(await runExample({ change })).toMatchObject({ status: 0, stdout: hello, stderr: "" });
});

describe("under the system call filter of a container engine", () => {
  /** What the default profiles deny to a container without capabilities, as far as anything of ours might call it. */
  const denied = [
    ["bpf", "io_uring_enter", "io_uring_register", "io_uring_setup", "kcmp", "keyctl", "mount"],
    ["get_mempolicy", "mbind", "move_pages", "perf_event_open", "pidfd_getfd", "process_vm_readv", "ptrace"],
    ["set_mempolicy", "setns", "syslog", "umount2", "unshare", "userfaultfd"],
  ].flat();
  const landlock = ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"];
  const ENOSYS = 38;
  const EPERM = 1;

  const denying = (names: readonly string[], errnoRet: number) => (config: Json) => {
    config.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names, action: "SCMP_ACT_ERRNO", errnoRet }],
    };
  };

  test.for([
    { errno: "ENOSYS", value: ENOSYS, names: ["clone3", ...denied] }, // glibc makes threads by clone(2) then
    { errno: "EPERM", value: EPERM, names: denied },
  ])("that answers $errno the example is the same", async ({ value, names }) => {
    const outcome = await runExample({ change: denying(names, value) });
    expect(outcome).toMatchObject({ status: 0, stdout: hello, stderr: "" });
  });

  test.for([
    { errno: "ENOSYS", value: ENOSYS },
    { errno: "EPERM", value: EPERM },
  ])("that denies Landlock with $errno fence says so, and the program does not start", async ({ value }) => {
    const outcome = await runExample({ change: denying(landlock, value) });
    expect(outcome).toMatchObject({ status: 125, stdout: "" });
    expect(outcome.stderr).toMatch(/\n {2}hint: .*allow it in the container's seccomp profile/);
    expect(outcome.stderr).toContain("code:  FENCE_LANDLOCK_ABI");
  });

  test("that denies Landlock fence runs when it is told to do without", async () => {
    const options = [...exampleOptions, "--landlock=best-effort"];
    const outcome = await runExample({ options, change: denying(landlock, ENOSYS) });
    expect(outcome).toMatchObject({ status: 0, stdout: hello, stderr: "" });
  });
});

test("in a root that can be written the example leaves nothing behind", async () => {
  const change = (config: Json) => {
    config.root.readonly = false;
    config.process.user = { uid: 0, gid: 0 };
  };
  const options = ["--http-proxy", "unix:/run/proxy/http.sock"];
  const list = ["/bin/busybox", "find", "/", "-xdev", "!", "-type", "d"];
  const withFence = await runExample({ change, options, program: list });
  const without = await runExample({ change, program: list, withoutFence: true });
  expect(withFence).toMatchObject({ status: 0, stderr: "" });
  expect(withFence.stdout).toBe(without.stdout);
  expect(without.stdout).toContain("/fence\n");
});
