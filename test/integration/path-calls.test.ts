import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "paths-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
mkdirSync(at("directory/below"), { recursive: true });
writeFileSync(at("file"), "");
writeFileSync(at("\u00e9\u{1f600}"), "");
writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff)]), "");
symlinkSync("directory", at("link"));
symlinkSync("nowhere", at("broken"));
const { ENAMETOOLONG, ENOENT, ENOTDIR, EINVAL } = constants.errno;

test.for(["directory", "file", "link", "broken", "\u00e9\u{1f600}"])(
  "pathFacts says of %s what lstat(2) does",
  (name) => {
    const facts = new BigUint64Array(4);
    const { uid, nlink, dev, ino, mode } = lstatSync(at(name), { bigint: true });
    expect(addon.pathFacts(at(name), facts)).toBe(Number(mode));
    expect([...facts]).toEqual([uid, nlink, dev, ino]);
  },
);

test("what is not there is an errno", () => {
  const facts = new BigUint64Array(4);
  expect(addon.pathFacts(at("none"), facts)).toBe(-ENOENT);
  expect(addon.pathFacts(at("file/below"), facts)).toBe(-ENOTDIR);
  expect(addon.pathFacts("", facts)).toBe(-ENOENT);
  expect(addon.linkTarget(at("none"), Buffer.alloc(8))).toBe(-ENOENT);
  expect(addon.linkTarget(at("file"), Buffer.alloc(8))).toBe(-EINVAL);
  expect(addon.presentIn(at("file"), Buffer.from("x\0"), new Uint8Array(1))).toBe(-ENOTDIR);
  expect(addon.listDirectory(at("file"), Buffer.alloc(8))).toBe(-ENOTDIR);
  expect(addon.listDirectory(at("none"), Buffer.alloc(8))).toBe(-ENOENT);
});

test.for([4096, 4097, 4100, 9000])("a path of %d bytes is too long, and never another path", (length) => {
  const path = "/".repeat(length - 3);
  for (const end of ["abc", "\u20ac"]) {
    expect(addon.pathFacts(path + end, new BigUint64Array(4))).toBe(-ENAMETOOLONG);
    expect(addon.presentIn(path + end, Buffer.from("x\0"), new Uint8Array(1))).toBe(-ENAMETOOLONG);
    expect(addon.listDirectory(path + end, Buffer.alloc(8))).toBe(-ENAMETOOLONG);
  }
});

test("linkTarget reads a symlink, and cuts what does not fit", () => {
  const target = Buffer.alloc(16, "-");
  expect(addon.linkTarget(at("link"), target)).toBe("directory".length);
  expect(target.toString()).toBe("directory-------");
  expect(addon.linkTarget(at("link"), target.subarray(0, 3))).toBe(3);
});

test("presentIn tells which names are there, whatever is there", () => {
  const names = [
    "file",
    "none",
    "link",
    "link/below",
    "broken",
    "broken/x",
    "file/x",
    "directory/below",
    "\u00e9\u{1f600}",
  ];
  const found = new Uint8Array(names.length).fill(7);
  const bytes = Buffer.from(names.map((name) => `${name}\0`).join(""));
  expect(addon.presentIn(folder, bytes, found)).toBe(6);
  expect([...found]).toEqual([1, 0, 1, 1, 1, 0, 0, 1, 1]);
  expect(addon.presentIn(folder, Buffer.of(0xff, 0, 0xfe, 0), found.subarray(0, 2))).toBe(1);
  expect([...found.subarray(0, 2)]).toEqual([1, 0]);
});

test("listDirectory lists each entry once with its type, also of large directories and other bytes", () => {
  const entries = Buffer.alloc(4096, "-");
  const list = (path: string) => {
    const length = addon.listDirectory(path, entries);
    return entries.toString("latin1", 0, length).split("\0").slice(0, -1).sort();
  };
  const names = ["Ddirectory", "Hfile", "H\u00ff", "Jbroken", "Jlink"];
  expect(list(folder)).toEqual([...names, `H${Buffer.from("\u00e9\u{1f600}").toString("latin1")}`].sort());
  expect(list(at("directory/below"))).toEqual([]);
  expect(list("/dev")).toContain("Bnull");
  const many = Array.from({ length: 3000 }, (_, index) => `${index}-${"x".repeat(20)}`);
  mkdirSync(at("many"));
  for (const name of many) writeFileSync(at(`many/${name}`), "");
  const room = many.reduce((sum, name) => sum + name.length + 2, 0);
  entries.fill("-");
  expect(addon.listDirectory(at("many"), entries.subarray(0, 100))).toBe(room);
  expect(entries.toString("latin1", 100)).toBe("-".repeat(entries.length - 100));
  const all = Buffer.alloc(room);
  expect(addon.listDirectory(at("many"), all)).toBe(room);
  expect(all.toString().split("\0").slice(0, -1).sort()).toEqual(many.map((name) => `H${name}`).sort());
});

test("wrong arguments throw, and a path with a NUL is one", () => {
  const facts = new BigUint64Array(4);
  expect(() => addon.pathFacts(`${folder}\0/file`, facts)).toThrow("expected a path, without NUL");
  expect(() => addon.pathFacts(1 as unknown as string, facts)).toThrow("expected a path, without NUL");
  expect(() => addon.pathFacts(folder, new BigUint64Array(3))).toThrow("expected a BigUint64Array of 4");
  expect(() => addon.linkTarget(folder, "x" as unknown as Buffer)).toThrow("expected a Buffer");
  for (const [names, count] of [
    ["", 0],
    ["a", 1],
    ["a\0b", 1],
    ["a\0b\0", 1],
    ["a\0", 2],
  ] as const) {
    const found = new Uint8Array(count);
    expect(() => addon.presentIn(folder, Buffer.from(names), found)).toThrow("a byte for each name, which ends in NUL");
  }
});
