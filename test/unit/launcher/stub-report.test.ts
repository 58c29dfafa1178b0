import { expect, test } from "vitest";
import { stubReport } from "../../../src/launcher/stub-report.ts";

test("what the stub said of its end is fence's own error, in the sandbox", () => {
  const said =
    "fence: cannot read signals: signalfd4: EMFILE (too many open files)\n" +
    "  step:  init\n  hint:  raise the limit on open files (ulimit -n)\n  code:  FENCE_STUB\n";
  expect(stubReport(said)).toMatchObject({
    code: "FENCE_STUB",
    message: "cannot read signals: signalfd4: EMFILE (too many open files)",
    details: {
      step: "init (in the sandbox)",
      syscall: "signalfd4",
      errno: "EMFILE",
      hint: "raise the limit on open files (ulimit -n)",
    },
  });
});

test("without a call and a hint it has none, and the last one counts", () => {
  const one = "fence: bad message from the launcher\n  step:  bootstrap\n  code:  FENCE_EXEC_PLAN\n";
  const other = "fence: launched must be given one descriptor above 2\n  step:  launched\n  code:  FENCE_USAGE\n";
  const found = stubReport(`bwrap: a warning\n${one}${other}`);
  expect(found).toMatchObject({ code: "FENCE_USAGE", message: "launched must be given one descriptor above 2" });
  expect(found?.details).toEqual({ step: "launched (in the sandbox)" });
  expect(stubReport("fence: x\n  step:  y\n  code:  FENCE_OF_ANOTHER_BUILD\n")?.code).toBe("FENCE_STUB");
});

test.for(["", "bwrap: Can't mkdir /x: Permission denied\n", "fence: half\n  step:  in", "  code:  FENCE_STUB\n"])(
  "what is no report stays bubblewrap's: %j",
  (said) => {
    expect(stubReport(said)).toBeNull();
  },
);
