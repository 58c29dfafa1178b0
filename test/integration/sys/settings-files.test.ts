import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { createSettingsFile, readSettingsFile } from "../../../src/sys/settings-files.ts";
import { failure } from "../../kit/errors.ts";
import { testFolder } from "../../kit/test-folder.ts";

const most = 100;
const folder = (): string => mkdtempSync(`${testFolder()}/settings-`);
const own = process.getuid?.();

describe("reading", () => {
  test("gives the bytes of a file and its owner, through a symlink too", () => {
    const path = `${folder()}/f`;
    writeFileSync(path, "x".repeat(most));
    symlinkSync(path, `${path}.link`);
    for (const name of [path, `${path}.link`]) {
      expect(readSettingsFile(name, most)).toMatchObject({ kind: "file", owners: [own] });
    }
    const found = readSettingsFile(path, most);
    expect(found.kind === "file" && Buffer.from(found.bytes).toString()).toBe("x".repeat(most));
  });

  test("gives nothing where there is nothing", () => {
    const path = `${folder()}/f`;
    expect(readSettingsFile(path, most)).toEqual({ kind: "absent" });
    writeFileSync(path, "");
    expect(readSettingsFile(`${path}/x`, most)).toEqual({ kind: "absent" });
  });

  test("stops at the bound", () => {
    const path = `${folder()}/f`;
    writeFileSync(path, "x".repeat(most + 1));
    expect(readSettingsFile(path, most)).toEqual({ kind: "too-large" });
  });

  test("does not wait for a fifo, and takes neither directories, devices nor sockets", async () => {
    const path = folder();
    execFileSync("mkfifo", [`${path}/fifo`]);
    const server = createServer();
    await new Promise<void>((listening) => server.listen(`${path}/socket`, listening));
    expect(readSettingsFile(`${path}/fifo`, most)).toEqual({ kind: "other", is: "a fifo" });
    expect(readSettingsFile(path, most)).toEqual({ kind: "other", is: "a directory" });
    expect(readSettingsFile("/dev/zero", most)).toEqual({ kind: "other", is: "a device" });
    expect(readSettingsFile(`${path}/socket`, most)).toEqual({ kind: "other", is: "a socket or a device" });
    await new Promise((closed) => server.close(closed));
  });

  test.for([
    ["itself", "ELOOP"],
    ["nowhere", "ENOENT"],
  ])("fails for a symlink to %s", ([target, errno]) => {
    const path = `${folder()}/itself`;
    symlinkSync(target ?? "", path);
    expect(failure(() => readSettingsFile(path, most))).toMatchObject({
      code: "FENCE_CONFIG",
      message: expect.stringMatching(new RegExp(`^cannot read .*itself: open: ${errno}`)),
    });
  });
});

describe("creating", () => {
  test("makes the file and its directory", () => {
    const directory = `${folder()}/a/b`;
    createSettingsFile(`${directory}/f`, directory, "text");
    expect(readFileSync(`${directory}/f`, "utf8")).toBe("text");
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  test.for<[what: string, make: (path: string) => void]>([
    ["a file", (path) => writeFileSync(path, "theirs")],
    ["a directory", (path) => mkdirSync(path)],
    ["a symlink", (path) => symlinkSync(`${path}.target`, path)],
  ])("never replaces %s", ([, make]) => {
    const directory = folder();
    const path = `${directory}/f`;
    make(path);
    const before = lstatSync(path);
    expect(failure(() => createSettingsFile(path, directory, "ours"))).toMatchObject({
      code: "FENCE_CONFIG",
      message: expect.stringMatching(/^cannot create .*f: open: EEXIST/),
    });
    expect(lstatSync(path)).toEqual(before);
    expect(readSettingsFile(`${path}.target`, most)).toEqual({ kind: "absent" });
  });
});
