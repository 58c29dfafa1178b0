import addon from "landlock-napi/addon";
import { expect, onTestFinished, test } from "vitest";
import { Front } from "../../../src/sys/front.ts";
import { messagePair } from "../../../src/sys/protocol.ts";
import { WaitingProcess } from "../../../src/sys/stub.ts";

/** Two ends; the second is closed with the test. */
function pair(): readonly [number, number] {
  const ends = messagePair(addon);
  if (typeof ends === "number") throw new Error(`socketpair: ${ends}`);
  onTestFinished(() => void addon.closeDescriptor(ends[1]));
  return ends;
}

/** Nobody watches what has this number now. */
function expectUnwatched(descriptor: number): void {
  const [near] = pair();
  expect(near).toBe(descriptor); // the lowest that is free
  const watch = addon.watch(near, () => {}, false);
  expect(watch).toBeGreaterThan(0);
  addon.unwatch(watch);
  addon.closeDescriptor(near);
}

test("a front that is left before its end is watched no longer", () => {
  const [near] = pair();
  const front = new Front(addon, near);
  void front.ended();
  front.leave();
  expectUnwatched(near);
});

test("a waiting process that is closed before it has started is watched no longer", () => {
  const [near] = pair();
  const waiting = new WaitingProcess(addon, near);
  void waiting.started();
  waiting.close();
  expectUnwatched(near);
});
