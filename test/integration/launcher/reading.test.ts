import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

const child = resolve(import.meta.dirname, "reading-child.ts");

test("the end of what is said is waited for, also when nothing else is", async () => {
  const reader = spawn(process.execPath, [child], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void reader.kill("SIGKILL"));
  const said = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
  const next = async () => (await said.next()).value;
  reader.stdin.on("error", () => {}); // when the child has ended without waiting
  expect(await next()).toBe("waiting");
  reader.stdin.write("one\ntw");
  reader.stdin.end("o\nthree");
  expect(JSON.parse((await next()) ?? "")).toEqual({ text: "one\ntwo\nthree", lines: ["one", "two"] });
  expect(await next()).toBe("end");
  if (reader.exitCode === null) await once(reader, "exit");
  expect(reader.exitCode).toBe(0);
});
