import { describe, expect, test } from "vitest";
import { type DirectionEvent, type DirectionState, endingOf, isFinal, nextState } from "../../../src/bridge/states.ts";

const states: readonly DirectionState[] = ["open", "draining", "aborting", "discarding", "shut", "aborted", "lost"];
const events: readonly DirectionEvent[] = ["source-ended", "source-reset", "sink-gone", "drained", "spared"];

describe("a direction", () => {
  test.each([
    [["source-ended", "drained"], "shut"],
    [["source-reset", "drained"], "aborted"],
    [["source-reset", "drained", "spared"], "shut"],
    [["source-ended", "sink-gone"], "lost"],
    [["source-reset", "sink-gone"], "lost"],
    [["sink-gone", "source-ended"], "lost"],
    [["sink-gone", "source-reset"], "lost"],
  ] as const)("that meets %j is %s", (met, end) => {
    expect(met.reduce<DirectionState>(nextState, "open")).toBe(end);
    expect(isFinal(end)).toBe(true);
  });

  test("passes an end on only after everything was delivered", () => {
    expect(() => nextState("open", "drained")).toThrow(expect.objectContaining({ code: "FENCE_BUG" }));
    expect(isFinal(nextState("open", "source-ended"))).toBe(false);
    expect(isFinal(nextState("open", "source-reset"))).toBe(false);
  });

  test("that has ended meets nothing any more, but for being spared a reset", () => {
    const met = states
      .filter(isFinal)
      .flatMap((state) =>
        events.filter((event) => !throws(() => nextState(state, event))).map((event) => [state, event]),
      );
    expect(met).toEqual([["aborted", "spared"]]);
  });
});

describe("a relay", () => {
  test("ends by the states of its directions", () => {
    const endings = Object.fromEntries(
      states.map((up) => [up, Object.fromEntries(states.map((down) => [down, endingOf(up, down)]))]),
    );
    const open = { open: "none", draining: "none", aborting: "none", discarding: "none" };
    const going = { ...open, shut: "none", lost: "none", aborted: "reset-client" };
    const up = { ...open, discarding: "leave-target", shut: "close", lost: "close", aborted: "reset-client" };
    expect(endings).toEqual({
      open: going,
      draining: going,
      aborting: going,
      discarding: { ...going, shut: "linger", lost: "linger" },
      shut: up,
      lost: up,
      aborted: Object.fromEntries(states.map((down) => [down, "reset-target"])),
    });
  });
});

function throws(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch {
    return true;
  }
}
