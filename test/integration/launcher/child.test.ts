import { expect, test } from "vitest";
import { runChild } from "../../../src/sys/child.ts";

const node = process.execPath;
const long = 30_000;

test("a child gets no variable, the root as its directory, and nothing to read", async () => {
  const script =
    'console.log(JSON.stringify([process.env, process.cwd(), require("fs").readFileSync(0, "utf8"), require("fs").readdirSync("/proc/self/fd").filter((fd) => { try { return !require("fs").readlinkSync("/proc/self/fd/" + fd).includes("[") && fd > 2 } catch { return false } })]))';
  const outcome = await runChild({ file: node, args: ["-e", script], timeoutMs: long });
  expect(outcome).toMatchObject({ kind: "ended", status: 0, signal: null, stderr: "", report: "" });
  const [env, cwd, input] = outcome.kind === "ended" ? JSON.parse(outcome.stdout) : [];
  expect([env, cwd, input]).toEqual([{}, "/", ""]);
});

test("what it writes to 1, 2 and 3 comes back apart, with its status", async () => {
  const script = 'const w = require("fs").writeSync; w(1, "one"); w(2, "two"); w(3, "three"); process.exit(7)';
  const outcome = await runChild({ file: node, args: ["-e", script], readsStatus: true, timeoutMs: long });
  expect(outcome).toEqual({ kind: "ended", status: 7, signal: null, stdout: "one", stderr: "two", report: "three" });
});

test("only the beginning of much output is kept, and the child can write it all", async () => {
  const script = 'process.stdout.write("a".repeat(5e6)); process.stderr.write("done")';
  const outcome = await runChild({ file: node, args: ["-e", script], timeoutMs: long });
  expect(outcome).toMatchObject({ kind: "ended", status: 0, stdout: "a".repeat(64 * 1024), stderr: "done" });
});

test("one that a signal ended says which", async () => {
  const outcome = await runChild({ file: node, args: ["-e", "process.kill(process.pid, 9)"], timeoutMs: long });
  expect(outcome).toMatchObject({ kind: "ended", status: null, signal: "SIGKILL" });
});

test("one that does not end is ended, also when a child of its own holds its output", async () => {
  const forever = "setInterval(() => {}, 1e6)";
  const script = `require("child_process").spawn(process.execPath, ["-e", "setTimeout(() => {}, 3000)"], { stdio: "inherit", detached: true }); ${forever}`;
  const outcome = await runChild({ file: node, args: ["-e", script], timeoutMs: 300 });
  expect(outcome).toEqual({ kind: "timed-out", timeoutMs: 300 });
});

test.for([
  ["/nonexistent/program", "ENOENT"],
  ["/etc/passwd", "EACCES"],
] as const)("%s cannot be started: %s", async ([file, errno]) => {
  expect(await runChild({ file, args: [], timeoutMs: long })).toEqual({ kind: "not-started", errno });
});
