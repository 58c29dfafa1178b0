import { closeSync, openSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { starting, statusReport } from "../../../src/inside/status.ts";
import { files } from "./files.ts";

function opened(path: string, flags: string): number {
  const fd = openSync(path, flags);
  onTestFinished(() => closeSync(fd));
  return fd;
}

test("each report is one line of JSON", () => {
  const path = files().make("status", "");
  const report = statusReport(opened(path, "w"));
  report(starting);
  const bridge = {
    listen: "unix:/a\nb",
    connect: "unix:/c",
    accepted: 1,
    refused: 0,
    open: 0,
    bytesToTarget: 2,
    bytesToClient: 3,
  };
  report({ event: "ended", bridges: [bridge] });
  const lines = readFileSync(path, "utf8").split("\n");
  expect(lines.slice(0, 2).map((line) => JSON.parse(line))).toEqual([
    { event: "starting", version: "0.0.0-source" },
    { event: "ended", bridges: [bridge] },
  ]);
  expect(lines.slice(2)).toEqual([""]);
});

test("a report that cannot be written is an error, whatever the reason", () => {
  const readOnly = opened(files().make("status", ""), "r");
  for (const [fd, errno] of [
    [readOnly, "EBADF"],
    [opened("/dev/full", "w"), "ENOSPC"],
  ] as const) {
    expect(() => statusReport(fd)(starting)).toThrow(
      expect.objectContaining({
        code: "FENCE_STATUS",
        message: expect.stringContaining(`cannot write to status descriptor ${fd}: write: ${errno}`),
      }),
    );
  }
});

test("the descriptor is named as the user knows it", () => {
  const readOnly = opened(files().make("status", ""), "r");
  expect(() => statusReport(readOnly, 7)(starting)).toThrow("cannot write to status descriptor 7: write: EBADF");
});
