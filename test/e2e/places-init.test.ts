import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { folder, type Json, json, run, start } from "../kit/sandbox.ts";
import {
  example,
  exampleOptions,
  type OciChanges,
  probe,
  runExample,
  signalled,
  withoutInit,
} from "../kit/sandbox-bundle.ts";
import { crunNeeds } from "../kit/sandbox-oci.ts";
import { hello, httpProxy } from "../kit/sandbox-proxy.ts";

beforeEach(requires(...crunNeeds));

const SIGINT = 2;
const SIGKILL = 9;
const SIGUSR1 = 10;
const SIGSEGV = 11;
const SIGTERM = 15;

test("the example is the same without --init", async () => {
  expect(exampleOptions).toContain("--init");
  expect(withoutInit).not.toContain("--init");
  expect(await runExample({ options: withoutInit })).toMatchObject({ status: 0, stdout: hello, stderr: "" });
});

test("with --init the program is a child of PID 1, and the same in all else", async () => {
  const facts = async (changes: OciChanges): Promise<Json> =>
    json(await runExample({ program: probe("facts"), ...changes }));
  const { pid, ...withInit } = await facts({});
  const { pid: _, ...rest } = await facts({ options: withoutInit });
  expect(pid).toBeGreaterThan(1);
  expect(withInit).toMatchObject({ ...rest, ppid: 1, parentDeathSignal: SIGKILL });
});

test.for([0, 1, 42, 125, 126, 127, 255])(
  "with --init the container's exit status is the program's: %i",
  async (status) => {
    expect(await runExample({ program: probe("exit", status) })).toMatchObject({ status, stderr: "" });
  },
);

test.for([SIGINT, SIGKILL, SIGUSR1, SIGSEGV, SIGTERM])(
  "with --init a program that signal %i ends is exit status 128 more",
  async (signal) => {
    const outcome = await runExample({ program: probe("raise", signal) });
    expect(outcome).toMatchObject({ status: 128 + signal, stdout: "", stderr: "" });
  },
);

test("with --init a missing program is exit status 127, and a failure of fence 125", async () => {
  expect(await runExample({ program: ["/bin/missing"] })).toMatchObject({ status: 127, stdout: "" });
  const options = [...exampleOptions, "--ro", "/no/such/path"];
  expect(await runExample({ options, program: probe("facts") })).toMatchObject({ status: 125, stdout: "" });
});

describe("a signal that crun sends, with --init,", () => {
  test("reaches a program that waits for it, once", async () => {
    const program = probe("wait-signal", SIGTERM);
    expect(await signalled({ program }, ["SIGTERM"])).toEqual({ result: SIGTERM, status: 0 });
  });

  test("ends a program that does not handle it, which as PID 1 ignores it", async () => {
    const program = probe("wait-signal", SIGUSR1);
    const signals = ["SIGTERM", "SIGUSR1"] as const;
    expect(await signalled({ program }, ["SIGTERM"])).toEqual({ result: null, status: 128 + SIGTERM });
    expect(await signalled({ options: withoutInit, program }, signals)).toEqual({ result: SIGUSR1, status: 0 });
  });

  test("ends the container when it is SIGKILL", async () => {
    const program = probe("wait-signal", SIGTERM);
    expect(await signalled({ program }, ["SIGKILL"])).toEqual({ result: null, status: 128 + SIGKILL });
  });
});

test("with --init orphans are reaped, which without it are the program's", async () => {
  const kept = 0;
  const gone = -1;
  expect(await orphan({})).toBe(gone);
  expect(await orphan({ options: withoutInit })).toBe(kept);
});

/** What kill(2) says of an orphan that has ended: PID 1 has had a signal and an answer's time to reap it. */
async function orphan(changes: OciChanges): Promise<number> {
  const container = await example({ ...changes, program: probe("orphan", SIGUSR1) });
  const running = start(container.run);
  for (let i = 0; i < 2; i++) {
    expect(await running.line()).toBe(`{"waiting":${SIGUSR1}}`);
    expect(await run(container.kill("SIGUSR1"))).toMatchObject({ status: 0 });
  }
  return JSON.parse((await running.line()) ?? "").result;
}

test("with --init everything that the program wrote before its end is delivered", async () => {
  const at = folder();
  const { promise: received, resolve } = Promise.withResolvers<string>();
  const server = createServer((socket) => void text(socket).then(resolve));
  onTestFinished(() => void server.close());
  await once(server.listen({ path: join(at, "http.sock"), writableAll: true }), "listening");
  const sent = "0123456789".repeat(10_000);
  const options = ["--init", "--bridge", "unix:/tmp/s=unix:/run/proxy/http.sock"];
  const change = (config: Json) => {
    config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] });
  };
  const program = probe("send-unix", "/tmp/s", sent);
  const proxy = { ...(await httpProxy()), folder: at };
  expect(json(await runExample({ options, program, change }, proxy))).toMatchObject({ errno: 0 });
  expect(await received).toBe(sent);
});

test("with --init a daemon that the program leaves behind does not keep the container", async () => {
  const script = '{ /bin/probe wait-signal 10 & } | { read line; echo "$line"; exit 42; }';
  const program = ["/bin/busybox", "sh", "-c", script];
  const outcome = await runExample({ options: [...exampleOptions, "--ro", "/dev/null"], program });
  expect(outcome).toMatchObject({ status: 42, stdout: '{"waiting":10}\n', stderr: "" });
});
