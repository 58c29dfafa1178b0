import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { folder, host, run } from "../kit/sandbox.ts";

beforeEach(requires("script"));

/** Sets a mode, tells the modes, waits for a line, and tells them again. */
const shell = "stty raw -echo; stty -g; read -r line; stty -g";

test("the modes of the program's terminal stay as the program set them when the set-up ends", async () => {
  const fifo = join(folder(), "status");
  expect(await run(["mkfifo", fifo])).toMatchObject({ status: 0 });
  // Only the set-up holds the status descriptor, and as long as it lives: not script(1), and never the program.
  const command = `exec 4>'${fifo}'; exec '${host.fence}' bootstrap --status-fd 4 -- /bin/sh -c '${shell}'`;
  const terminal = spawn("script", ["-qec", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void terminal.kill());
  const output = text(terminal.stdout);
  expect((await run(["cat", fifo])).stdout).toContain('"ready"');
  terminal.stdin.end("\n");
  const [code] = await once(terminal, "close");
  expect(code).toBe(0);
  const [before, after, ...more] = (await output).trim().split(/\s+/);
  expect(before).toMatch(/^[0-9a-f:]+$/);
  expect(after).toBe(before);
  expect(more).toEqual([]);
});
