import { createReadStream } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { runChild } from "../../../src/sys/child.ts";
import { folder, run } from "../../kit/sandbox.ts";

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

test.for([
  ["does not end", "wait", 1500, { kind: "timed-out", timeoutMs: 1500 }],
  [
    "ends, but not its child",
    "echo bye; exit 3",
    long,
    { kind: "ended", status: 3, signal: null, stdout: "bye\n", stderr: "", report: "" },
  ],
] as const)("one that %s is ended, with its child that holds its output", async ([, last, timeoutMs, expected]) => {
  const fifo = join(folder(), "fifo");
  await run(["mkfifo", fifo]);
  // Its end comes when nobody has it open for writing any more.
  const gone = text(createReadStream(fifo));
  const args = ["-c", `exec 5>"$0"; sleep 1000 & ${last}`, fifo];
  expect(await runChild({ file: "/bin/sh", args, timeoutMs })).toEqual(expected);
  expect(await gone).toBe("");
});

test.for([
  ["/nonexistent/program", "ENOENT"],
  ["/etc/passwd", "EACCES"],
] as const)("%s cannot be started: %s", async ([file, errno]) => {
  expect(await runChild({ file, args: [], timeoutMs: long })).toEqual({ kind: "not-started", errno });
});
