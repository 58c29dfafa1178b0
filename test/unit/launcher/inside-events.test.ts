import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { failed } from "../../../src/inside/status.ts";
import { InsideEvents } from "../../../src/launcher/inside-events.ts";

function listening() {
  const heard: unknown[] = [];
  const events = new InsideEvents({
    ready: (isolation) => heard.push(["ready", isolation]),
    verified: (checks) => heard.push(["verified", checks]),
    crash: (event) => heard.push(["crash", event]),
  });
  return { events, heard };
}

describe("the bootstrap's report", () => {
  test("tells when all holds, what was proved, and crashes of the bridges", () => {
    const { events, heard } = listening();
    expect(events.wasReady).toBe(false);
    for (const event of [
      { event: "starting", version: "1" },
      { event: "verified", checks: [{ name: "x" }] },
      { event: "ready", isolation: { seccomp: "strict" } },
      { event: "bridges-crashed", exit: null, signal: 9, restartsLeft: 4 },
      { event: "ended", bridges: [] },
    ]) {
      events.take(JSON.stringify(event));
    }
    expect(heard).toEqual([
      ["verified", [{ name: "x" }]],
      ["ready", { seccomp: "strict" }],
      ["crash", { event: "bridges-crashed", exit: null, signal: 9, restartsLeft: 4 }],
    ]);
    expect(events.wasReady).toBe(true);
    expect(events.failure).toBeNull();
  });

  test("becomes the launcher's error, with where it was", () => {
    const { events } = listening();
    const error = new FenceError("FENCE_PROGRAM_NOT_FOUND", 'cannot find "x" in PATH', {
      step: "exec",
      hint: "set PATH",
    });
    events.take(JSON.stringify(failed(error)));
    expect(events.failure).toMatchObject({ code: "FENCE_PROGRAM_NOT_FOUND", exitStatus: 127, message: error.message });
    expect(events.failure?.details).toEqual({ step: "exec (in the sandbox)", hint: "set PATH" });
  });

  test("of an unknown code is still an error", () => {
    const { events } = listening();
    events.take('{"event":"failed","code":"FENCE_OF_TOMORROW","message":7}');
    expect(events.failure).toMatchObject({ code: "FENCE_LAUNCH", message: "the sandbox cannot be set up" });
  });

  test("may be anything: no line is an exception", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"event":${json}}`),
        ),
        (line) => {
          const { events } = listening();
          events.take(line);
          expect(events.wasReady).toBe(false);
        },
      ),
    );
  });
});
