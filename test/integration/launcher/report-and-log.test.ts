import { closeSync, mkdtempSync, openSync, readFileSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { LaunchLog } from "../../../src/launcher/log.ts";
import { LaunchReport } from "../../../src/launcher/report.ts";
import { Messages } from "../../../src/sys/messages.ts";
import { failure } from "../../kit/errors.ts";

const folder = () => mkdtempSync(join(tmpdir(), "fence-test-"));
const lines = (path: string) => readFileSync(path, "utf8").split("\n");

describe("the report", () => {
  test("is one JSON object a line, from start to end", () => {
    const path = join(folder(), "report");
    const fd = openSync(path, "w");
    const report = new LaunchReport(fd, 9);
    report.starting();
    report.verified([]);
    report.ready({ published: [] });
    report.ended({ ofProgram: true, exit: 3, signal: null }, []);
    report.failed(new FenceError("FENCE_BWRAP", "no", { step: "start-bwrap" }));
    closeSync(fd);
    const [starting, verified, ready, ended, failed, rest] = lines(path);
    expect(JSON.parse(starting ?? "")).toMatchObject({ event: "starting" });
    expect(JSON.parse(verified ?? "")).toEqual({ event: "verified", checks: [] });
    expect(JSON.parse(ready ?? "")).toEqual({ event: "ready", published: [] });
    expect(JSON.parse(ended ?? "")).toEqual({ event: "ended", exit: 3, signal: null, bridges: [] });
    expect(JSON.parse(failed ?? "")).toEqual({
      ...{ event: "failed", code: "FENCE_BWRAP", exit: 125, message: "no", step: "start-bwrap" },
      ...{ syscall: null, path: null, errno: null, hint: null },
    });
    expect(rest).toBe("");
  });

  test("that cannot be written is an error before the program runs, and none afterwards", () => {
    const full = openSync("/dev/full", "w");
    const report = new LaunchReport(full, 9);
    const error = failure(() => report.starting());
    expect(error).toMatchObject({ code: "FENCE_STATUS", details: { errno: "ENOSPC" } });
    expect(error.message).toContain("status descriptor 9");
    report.failed(error);
    report.ended({ ofProgram: true, exit: 0, signal: null }, []);
    closeSync(full);
  });
});

describe("the log file", () => {
  const asked = { debug: true, monitor: false, logFile: "log" };

  test("is added to, and holds what was asked for alone", () => {
    const directory = folder();
    for (const request of [asked, { ...asked, debug: false, monitor: true }, { ...asked, debug: false }]) {
      const log = new LaunchLog(new Messages(), request, directory);
      log.debug("done");
      log.denied("a client");
      log.close();
    }
    expect(lines(join(directory, "log"))).toEqual([
      "fence: debug: done",
      "fence: denied: a client",
      "fence: denied: a client",
      "",
    ]);
  });

  test("is never reached through a symlink", () => {
    const directory = folder();
    symlinkSync("elsewhere", join(directory, "log"));
    const error = failure(() => new LaunchLog(new Messages(), asked, directory));
    expect(error).toMatchObject({ code: "FENCE_LAUNCH", details: { step: "log-file", errno: "ELOOP" } });
  });
});
