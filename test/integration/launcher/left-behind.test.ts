import { fork } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import addon from "landlock-napi/addon";
import { expect, onTestFinished, test } from "vitest";
import { hostPath } from "../../../src/base/paths.ts";
import { MountPoints } from "../../../src/launcher/left-behind.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { doors } from "../../kit/bridges.ts";
import { requires } from "../../kit/requires.ts";

const uid = process.geteuid?.() ?? 0;
const stranger = 4711;

test("what is missing is made, parents first, and removed", () => {
  const [outer, inner] = [join(folder(), "fence"), "bin"];
  const points = held([outer, join(outer, inner)]);
  expect(statSync(join(outer, inner)).mode & 0o777).toBe(0o755);
  points.release();
  expect(existsSync(outer)).toBe(false);
  points.release();
});

test("nothing to make is nothing to do", () => {
  held([]).release();
});

test("the last one who uses it removes it", () => {
  const path = join(folder(), "fence");
  const [first, second, third] = [held([path]), held([path]), held([path])];
  second.release();
  first.release();
  expect(existsSync(path)).toBe(true);
  third.release();
  expect(existsSync(path)).toBe(false);
});

test("what somebody has put into it keeps it", () => {
  const path = join(folder(), "fence");
  const points = held([path]);
  writeFileSync(join(path, "file"), "");
  points.release();
  expect(readdirSync(path)).toEqual(["file"]);
});

test("what a killed launcher has left is removed by the next one that uses it", async () => {
  const path = join(folder(), "fence");
  const child = fork(fileURLToPath(new URL("left-behind-child.ts", import.meta.url)), [path], {
    execArgv: ["--disable-warning=ExperimentalWarning"],
  });
  await once(child, "message");
  const second = held([path]);
  second.release();
  expect(existsSync(path)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(existsSync(path)).toBe(true);
  held([path]).release();
  expect(existsSync(path)).toBe(false);
});

test("a directory of root's serves every user, and stays", (context) => {
  requires("root")(context);
  const path = join(folder(), "fence");
  mkdirSync(path, 0o755);
  held([path], stranger).release();
  expect(existsSync(path)).toBe(true);
});

test.for<[problem: string, make: (path: string) => void, needsRoot?: "root"]>([
  ["it is a symbolic link", (path) => symlinkSync(folder(), path)],
  ["it is no directory", (path) => writeFileSync(path, "")],
  ["others can write to it", (path) => void directory(path, 0o777)],
  ["it belongs to the user 4711", (path) => chownSync(directory(path, 0o755), stranger, stranger), "root"],
])("it is no mount point when %s", ([problem, make, needsRoot], context) => {
  if (needsRoot !== undefined) requires(needsRoot)(context);
  const base = folder();
  const [first, path] = [join(base, "first"), join(base, "fence")];
  make(path);
  const before = lstatSync(path);
  expect(() => held([first, path])).toThrow(
    expect.objectContaining({ code: "FENCE_MOUNTS", message: `cannot use ${path} as a mount point: ${problem}` }),
  );
  expect(lstatSync(path)).toMatchObject({ ino: before.ino, mode: before.mode });
  expect(existsSync(first)).toBe(false);
});

test("where it cannot be made is an error that says why", () => {
  expect(() => held([join(folder(), "missing/fence")])).toThrow(
    expect.objectContaining({ details: expect.objectContaining({ syscall: "mkdir", errno: "ENOENT" }) }),
  );
});

test("one that is removed while it is taken is made anew", () => {
  const path = join(folder(), "fence");
  let locks = 0;
  const removing = doors({
    lock: (fd, operation) => {
      if (locks++ === 0) rmdirSync(path);
      return addon.lock(fd, operation);
    },
  });
  held([path], uid, removing);
  expect(existsSync(path)).toBe(true);
  expect(locks).toBe(2);
});

test("one that is about to be removed is waited for; one that stays locked is an error", () => {
  const path = join(folder(), "fence");
  let locks = 0;
  const busy = doors({ lock: (fd, operation) => (locks++ < 2 ? -11 : addon.lock(fd, operation)) });
  held([path], uid, busy);
  expect(locks).toBe(3);
  expect(() => held([path], uid, doors({ lock: () => -11 }))).toThrow("another process keeps it locked");
  expect(() => held([path], uid, doors({ lock: () => -37 }))).toThrow("flock: ENOLCK");
});

function held(paths: readonly string[], by = uid, from: Addon = addon): MountPoints {
  const points = new MountPoints(from, paths.map(hostPath), by);
  onTestFinished(() => points.release());
  return points;
}

function directory(path: string, mode: number): string {
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "fl-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
