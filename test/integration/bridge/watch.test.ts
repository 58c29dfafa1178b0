import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import addon from "landlock-napi/addon";
import { describe, expect, onTestFinished, test } from "vitest";

const ENOENT = -2;
const EPERM = -1;
const EBADF = -9;
const ENOSPC = -28;
const child = fileURLToPath(new URL("watch-child.ts", import.meta.url));

describe("watch", () => {
  test("calls back while the descriptor is readable, until unwatch", async () => {
    const { readEnd, write, read } = pipe();
    let calls = 0;
    const called = Promise.withResolvers<void>();
    const watch = addon.watch(
      readEnd,
      () => {
        calls++;
        if (calls === 2) read();
        called.resolve();
      },
      true,
    );
    await nextTurn();
    expect(calls).toBe(0);
    write();
    await called.promise;
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(calls).toBe(2);
    expect(addon.unwatch(watch)).toBe(0);
    write();
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(calls).toBe(2);
  });

  test("may be ended by its own callback", async () => {
    const { readEnd, write } = pipe();
    write();
    let calls = 0;
    await new Promise<void>((resolve) => {
      const watch = addon.watch(
        readEnd,
        () => {
          calls++;
          expect(addon.unwatch(watch)).toBe(0);
          resolve();
        },
        true,
      );
    });
    for (let turn = 0; turn < 10; turn++) await nextTurn();
    expect(calls).toBe(1);
  });

  test("ends once: a second unwatch is refused and ends no other watch", () => {
    const first = addon.watch(pipe().readEnd, () => {}, true);
    expect(addon.unwatch(first)).toBe(0);
    const second = addon.watch(pipe().readEnd, () => {}, true);
    expect(second).not.toBe(first);
    expect(addon.unwatch(first)).toBe(ENOENT);
    expect(addon.unwatch(0)).toBe(ENOENT);
    expect(addon.unwatch(second)).toBe(0);
  });

  test("512 at a time; the place of one that has ended is free again", async () => {
    const watches = Array.from({ length: 512 }, () => addon.watch(pipe().readEnd, () => {}, false));
    const free = watches.filter((watch) => watch > 0);
    expect(addon.watch(pipe().readEnd, () => {}, false)).toBe(ENOSPC);
    for (const watch of free) expect(addon.unwatch(watch)).toBe(0);
    await nextTurn();
    await nextTurn();
    const again = addon.watch(pipe().readEnd, () => {}, false);
    expect(again).toBeGreaterThan(0);
    addon.unwatch(again);
  });

  test("refuses what cannot be polled", () => {
    expect(addon.watch(openSync(child, "r"), () => {}, true)).toBe(EPERM);
    expect(addon.watch(-1, () => {}, true)).toBe(EBADF);
  });

  test("refuses arguments of the wrong type", () => {
    // @ts-expect-error a number is needed
    expect(() => addon.watch("0", () => {}, true)).toThrow(TypeError);
    // @ts-expect-error a function is needed
    expect(() => addon.watch(0, {}, true)).toThrow(TypeError);
    // @ts-expect-error three arguments are needed
    expect(() => addon.watch(0, () => {})).toThrow(TypeError);
    // @ts-expect-error a number is needed
    expect(() => addon.unwatch()).toThrow(TypeError);
  });

  test("what the callback throws is an uncaught exception", async () => {
    expect(await run("callback throws")).toEqual({ status: 3, stdout: "uncaught: from the callback\n" });
  });

  test("keeps the event loop running when it is told to", async () => {
    expect(await run("keeps the loop alive")).toEqual({ status: 0, stdout: "unwatched\n" });
  });

  test("lets the event loop end when it is told to", async () => {
    expect(await run("does not keep the loop alive")).toEqual({ status: 0, stdout: "" });
  });

  test("ends with its worker thread", async () => {
    expect(await run("ends with workers that watch")).toEqual({ status: 0, stdout: "10 workers have ended\n" });
  });
});

function pipe() {
  const ends = new Int32Array(2);
  expect(addon.pipe(ends)).toBe(0);
  const [readEnd = -1, writeEnd = -1] = ends;
  onTestFinished(() => {
    for (const end of ends) addon.closeDescriptor(end);
  });
  return {
    readEnd,
    write: () => expect(addon.writePipe(writeEnd, Buffer.from("x"), 0, 1)).toBe(1),
    // Bytes leave the pipe for the void of another one.
    read: () => expect(addon.splice(readEnd, pipe().writeEnd, 1)).toBe(1),
    writeEnd,
  };
}

async function run(action: string): Promise<{ status: number | null; stdout: string }> {
  const started = spawn(process.execPath, [child, action], { stdio: ["pipe", "pipe", "inherit"] });
  const stdout = text(started.stdout);
  started.stdin.end();
  const [status] = await once(started, "exit");
  return { status, stdout: await stdout };
}
