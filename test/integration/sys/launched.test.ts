import { spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import addon from "landlock-napi/addon";
import { expect, onTestFinished, test } from "vitest";
import { LaunchedProcess } from "../../../src/sys/launched.ts";
import { sendMessage } from "../../../src/sys/protocol.ts";
import { requires } from "../../kit/requires.ts";

test("listeners of a sandbox are taken also when no descriptor is left", async (context) => {
  requires("prlimit")(context);
  const listeners: number[] = [];
  const ready = Promise.withResolvers<void>();
  const listener = (_: number, descriptor: number) => void listeners.push(descriptor);
  const first = new LaunchedProcess(addon, { listener, ready: ready.resolve });
  onTestFinished(() => first.close());
  first.send({ control: 3, sockets: 0 }, Buffer.alloc(8), 2);
  const sent = openSync("/dev/null", "r");
  for (const index of [1, 2]) {
    expect(sendMessage(addon, first.far, "listener", { index, descriptors: [sent] })).toBe(0);
  }
  expect(sendMessage(addon, first.far, "ready")).toBe(0);
  const others = allDescriptors();
  const ended = first.outcome();
  await ready.promise;
  first.sent();
  for (const fd of [...others, sent, ...listeners]) closeSync(fd);
  expect(listeners).toEqual([expect.any(Number), expect.any(Number)]);
  expect(listeners.every((fd) => fd >= 0)).toBe(true);
  expect(await ended).toEqual({ kind: "started" });
});

/** Takes what is left of this process's descriptors, after it has lowered its limit for the test. */
function allDescriptors(): readonly number[] {
  const limit = (soft: string) => {
    const { stderr } = spawnSync("prlimit", [`--nofile=${soft}:`, "--pid", String(process.pid)], { encoding: "utf8" });
    expect(stderr).toBe("");
  };
  const { stdout } = spawnSync("prlimit", ["--nofile", "--output=SOFT", "--noheadings", "--pid", String(process.pid)], {
    encoding: "utf8",
  });
  onTestFinished(() => limit(stdout.trim()));
  limit("512");
  const taken: number[] = [];
  for (;;) {
    const copy = addon.duplicateAboveStdio(0);
    if (copy < 0) return taken;
    taken.push(copy);
  }
}
