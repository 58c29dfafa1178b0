import { expect, test } from "vitest";
import { logWords } from "../../../src/landlock/options.ts";
import { describeLandlock, type LandlockReport } from "../../../src/landlock/report.ts";
import { emptyRequest, type RulesetRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";

const everything: RulesetRequest = {
  ...emptyRequest,
  rules: [{ access: "rw", path: "/work" }],
  unixSockets: ["/run/s"],
  bindTcp: [80],
  connectTcp: [443],
  scopes: ["signal", "abstract-unix"],
  denied: [],
};

function report(request: RulesetRequest, abi: number, errata = 0b111): LandlockReport {
  return describeLandlock(chooseRuleset(request, abi, "best-effort"), errata);
}

const notes = (from: LandlockReport) => from.notes.map(({ id }) => id);
const says = (from: LandlockReport, id: string) => from.notes.find((note) => note.id === id)?.says;

test("with everything named on a new kernel all is handled and only limits are noted", () => {
  const full = report(everything, 9);
  expect(full).toMatchObject({ mode: "best-effort", abi: 9, enforced: true, dropped: [], unavailable: [], errata: [] });
  expect(full.handled).toEqual(expect.arrayContaining(["READ_FILE", "RESOLVE_UNIX", "CONNECT_TCP", "SIGNAL"]));
  expect(notes(full)).toEqual(["mounts", "tcp-only", "tcp-detours", "listen"]);
});

test("what passes the TCP rights by is noted unless the filter denies it", () => {
  const choice = chooseRuleset(everything, 7, "best-effort");
  expect(notes(describeLandlock(choice, 0b111, "denied"))).toEqual(["mounts", "unix-sockets", "tcp-only", "listen"]);
  expect(says(describeLandlock(choice, 0b111, "open"), "tcp-detours")).toMatch(/Multipath TCP.*--seccomp=default/);
  expect(notes(report({ ...emptyRequest, connectUdp: [1] }, 10))).not.toContain("tcp-only");
});

test("UDP is named as not concerned until an option concerns it", () => {
  expect(says(report(everything, 10), "tcp-only")).toBe("the TCP rights do not concern UDP, SCTP and other protocols");
  const both = report({ ...everything, bindUdp: [1] }, 10);
  expect(says(both, "tcp-only")).toBe("the TCP rights do not concern SCTP and other protocols");
});

test("what could not be done for the audit log is listed as dropped", () => {
  const { dropped, handled } = report(
    { ...everything, quiet: { ...emptyRequest.quiet, ports: [80] }, log: logWords },
    6,
  );
  expect(dropped.map(({ right }) => right)).toEqual([
    ...["RESOLVE_UNIX", "QUIET", "LOG_SAME_EXEC_OFF", "LOG_NEW_EXEC_ON", "LOG_SUBDOMAINS_OFF"],
  ]);
  expect(handled).not.toContain("LOG_NEW_EXEC_ON");
});

test("below ABI 9 it says that the program can connect to Unix sockets that it can see", () => {
  const below = report(everything, 7);
  expect(below.dropped.map(({ right }) => right)).toEqual(["RESOLVE_UNIX"]);
  expect(says(below, "unix-sockets")).toBe(
    "below ABI 9 the program can connect to Unix sockets that it can see; what listens there acts with its own rights",
  );
});

test("the same is said on a newer kernel when --unix is not named", () => {
  expect(says(report({ ...everything, unixSockets: [] }, 9), "unix-sockets")).toMatch(
    /^without --unix the program can/,
  );
});

test("signals are noted below ABI 6 and where no scope is named", () => {
  expect(says(report(everything, 5), "signals")).toMatch(/^below ABI 6/);
  expect(says(report({ ...everything, scopes: [] }, 6), "signals")).toMatch(/^without --scope signal/);
});

test("on ABI 1 it says that renames between directories fail", () => {
  const first = report(everything, 1);
  expect(first.unavailable).toEqual([{ right: "REFER", neededBy: "--rw", firstAbi: 2 }]);
  expect(says(first, "renames")).toBe("below ABI 2 no file can be renamed or linked into another directory");
});

test("a ruleset without file rights lets the program mount", () => {
  expect(notes(report({ ...emptyRequest, connectTcp: [1] }, 7))).not.toContain("mounts");
});

test("an ABI newer than the table is named", () => {
  expect(says(report(everything, 12), "newer-abi")).toMatch(/ABI 12.*ABI 10/);
});

test("faults that the kernel has not fixed are listed", () => {
  expect(report(everything, 7, 0b011).errata.map(({ number }) => number)).toEqual([3]);
});

test("where nothing is enforced it says so", () => {
  expect(report(everything, 0)).toMatchObject({ enforced: false, handled: [], abi: 0 });
  expect(describeLandlock(chooseRuleset(everything, 7, "off"), 7)).toMatchObject({
    mode: "off",
    enforced: false,
    notes: [],
  });
});

test("it is plain data that survives JSON", () => {
  const full = report(everything, 1);
  expect(JSON.parse(JSON.stringify(full))).toEqual(full);
});
