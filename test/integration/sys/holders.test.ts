import { spawn } from "node:child_process";
import { once } from "node:events";
import addon from "landlock-napi/addon";
import { expect, onTestFinished, test } from "vitest";
import { holdersOf } from "../../../src/sys/holders.ts";

test("who has an end of a pipe open is known until it has ended", async () => {
  const ends = new Int32Array(2);
  expect(addon.pipe(ends)).toBe(0);
  const [read = -1, write = -1] = ends;
  onTestFinished(() => [read, write].forEach((end) => void addon.closeDescriptor(end)));
  expect(holdersOf(write)).toEqual([]);
  const child = spawn("cat", { stdio: ["pipe", read, "ignore"] });
  await once(child, "spawn");
  expect(holdersOf(write)).toEqual([child.pid]);
  child.stdin?.end();
  await once(child, "close");
  expect(holdersOf(write)).toEqual([]);
});
