import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { describe, expect, onTestFinished, test } from "vitest";
import { maskOf, rights } from "../../src/landlock/abi.ts";
import { errata } from "../../src/landlock/errata.ts";
import { kernelAbi, needsAbi } from "./landlock/outcomes.ts";

const readFile = maskOf("fs", ["READ_FILE"]);
const readDirectory = maskOf("fs", ["READ_DIR"]);

const errnoNames = new Map(Object.entries(constants.errno).map(([name, value]) => [-value, name]));

/** The result's errno by name, or "ok". libuv's names lack ENOMSG. */
function named(result: number): string {
  return result < 0 ? (errnoNames.get(result) ?? String(result)) : "ok";
}

/** The descriptor, closed when the test ends. */
function kept(fd: number): number {
  expect(named(fd)).toBe("ok");
  onTestFinished(() => expect(named(addon.closeDescriptor(fd))).toBe("ok"));
  return fd;
}

function newRuleset(handledFs = readFile | readDirectory): number {
  return kept(addon.landlockCreateRuleset(handledFs, 0, 0));
}

function openPath(path: string): number {
  return kept(addon.openPath(Buffer.from(path)));
}

describe("what the kernel says of itself", () => {
  test("the ABI is 1 or more", () => {
    expect(addon.landlockAbi()).toBeGreaterThanOrEqual(1);
  });

  test("the errata are a bitmap, or the kernel is too old to say", () => {
    const bitmap = addon.landlockErrata();
    if (bitmap < 0) return expect(named(bitmap)).toBe("EINVAL");
    console.log(`errata fixed here: ${errata.filter((_, index) => bitmap & (1 << index)).map((one) => one.number)}`);
    expect(bitmap).toBeLessThan(2 ** 31);
  });
});

describe("a ruleset", () => {
  test("is close-on-exec", () => {
    const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${newRuleset()}`, "utf8"))?.[1];
    expect(Number.parseInt(flags ?? "", 8) & 0o2000000).toBe(0o2000000);
  });

  test("that handles nothing is refused", () => {
    expect(named(addon.landlockCreateRuleset(0, 0, 0))).toBe("ENOMSG");
  });

  test("with a bit that no kernel knows is refused", () => {
    expect(named(addon.landlockCreateRuleset(2 ** 31, 0, 0))).toBe("EINVAL");
  });

  test("with every right of the table for this kernel is accepted", () => {
    const known = rights.filter(({ firstAbi }) => firstAbi <= kernelAbi).map(({ name }) => name);
    kept(addon.landlockCreateRuleset(maskOf("fs", known), maskOf("net", known), maskOf("scope", known)));
  });

  test("may say what the audit log leaves out, from ABI 10 on; an older kernel refuses it", () => {
    const scoped = kernelAbi >= 6 ? maskOf("scope", ["SIGNAL"]) : 0;
    const result = addon.landlockCreateRuleset(readFile, 0, scoped, readFile, 0, scoped);
    if (kernelAbi < 10) return expect(named(result)).toBe("E2BIG");
    kept(result);
    expect(named(addon.landlockCreateRuleset(readFile, 0, 0, readDirectory, 0, 0))).toBe("EINVAL");
  });

  test("with a right of the next ABI is refused", () => {
    for (const { kind, name, firstAbi } of rights) {
      if (firstAbi <= kernelAbi || kind === "restrict-flag" || kind === "rule-flag") continue;
      const masks = [maskOf("fs", [name]), maskOf("net", [name]), maskOf("scope", [name])] as const;
      expect(named(addon.landlockCreateRuleset(...masks)), name).toBe("EINVAL");
    }
  });
});

describe("a rule", () => {
  test("for a right that is not handled is refused", () => {
    expect(named(addon.landlockAddPathRule(newRuleset(), openPath("/"), maskOf("fs", ["EXECUTE"])))).toBe("EINVAL");
  });

  test("with a directory's right on a file is refused, with a file's right accepted", () => {
    const ruleset = newRuleset();
    const file = openPath(process.execPath);
    expect(named(addon.landlockAddPathRule(ruleset, file, readDirectory))).toBe("EINVAL");
    expect(named(addon.landlockAddPathRule(ruleset, file, readFile))).toBe("ok");
  });

  test("may be quiet from ABI 10 on, also without rights; an older kernel refuses it", () => {
    const quiet = maskOf("rule-flag", ["QUIET"]);
    if (kernelAbi < 10) {
      expect(named(addon.landlockAddPathRule(newRuleset(), openPath("/"), readFile, quiet))).toBe("EINVAL");
      return;
    }
    const ruleset = kept(addon.landlockCreateRuleset(readFile, 0, 0, readFile, 0, 0));
    expect(named(addon.landlockAddPathRule(ruleset, openPath("/"), 0, quiet))).toBe("ok");
    expect(named(addon.landlockAddPathRule(newRuleset(), openPath("/"), 0, quiet))).toBe("EINVAL");
  });

  test("with a flag that no kernel knows is refused", () => {
    expect(named(addon.landlockAddPathRule(newRuleset(), openPath("/"), readFile, 2 ** 31))).toBe("EINVAL");
    expect(named(addon.landlockAddPortRule(newRuleset(), 80, 1, 2 ** 31))).toBe("EINVAL");
  });

  test("without rights is refused", () => {
    expect(named(addon.landlockAddPathRule(newRuleset(), openPath("/"), 0))).toBe("ENOMSG");
  });

  test("for a port above 65535 is refused", (context) => {
    needsAbi(4, context);
    const connect = maskOf("net", ["CONNECT_TCP"]);
    const ruleset = kept(addon.landlockCreateRuleset(0, connect, 0));
    expect(named(addon.landlockAddPortRule(ruleset, 65536, connect))).toBe("EINVAL");
    expect(named(addon.landlockAddPortRule(ruleset, 65535, connect))).toBe("ok");
  });

  test("on what is no ruleset is refused", () => {
    expect(named(addon.landlockAddPathRule(openPath("/"), openPath("/"), readFile))).toBe("EBADF");
    // Without no_new_privs and CAP_SYS_ADMIN that is what is said first, landlock_restrict_self(2).
    expect(named(addon.landlockRestrictSelf(-1, 0))).toBe(process.geteuid?.() === 0 ? "EBADF" : "EPERM");
  });
});

describe("openPath", () => {
  test("opens a path of any bytes, and fileType tells its kind", async () => {
    const directory = mkdtempSync(join(tmpdir(), "ll-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const odd = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0x0a, 0x20])]);
    writeFileSync(odd, "");
    const server = createServer().listen(`${directory}/s`);
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once("listening", resolve));

    expect(addon.fileType(openPath(directory))).toBe(4);
    expect(addon.fileType(kept(addon.openPath(odd)))).toBe(8);
    expect(addon.fileType(openPath(`${directory}/s`))).toBe(12);
    expect(addon.fileType(openPath("/dev/null"))).toBe(2);
  });

  test.for([
    ["a path that does not exist", Buffer.from("/nowhere/at/all"), "ENOENT"],
    ["an empty path", Buffer.alloc(0), "ENOENT"],
    ["a path with a NUL byte", Buffer.from("/usr\0/../etc"), "EINVAL"],
    ["a path of 4096 bytes", Buffer.alloc(4096, "/"), "ENAMETOOLONG"],
  ] as const)("refuses %s", ([, path, errno]) => {
    expect(named(addon.openPath(path))).toBe(errno);
  });

  test("opens a path of 4095 bytes", () => {
    kept(addon.openPath(Buffer.alloc(4095, "/")));
  });
});

test("a descriptor that is not open is EBADF", () => {
  expect(named(addon.fileType(-1))).toBe("EBADF");
  expect(named(addon.closeDescriptor(-1))).toBe("EBADF");
});

describe("an argument of the wrong type or range throws a TypeError", () => {
  test.for([
    ["a mask of more than 32 bits", () => addon.landlockCreateRuleset(2 ** 32 + 1, 0, 0)],
    ["a negative mask", () => addon.landlockCreateRuleset(-1, 0, 0)],
    ["a mask that is no integer", () => addon.landlockCreateRuleset(1.5, 0, 0)],
    ["a mask that is no number", () => addon.landlockCreateRuleset(Number.NaN, 0, 0)],
    ["a port of more than 32 bits", () => addon.landlockAddPortRule(0, 2 ** 32 + 80, 1)],
    ["a descriptor of more than 32 bits", () => addon.closeDescriptor(2 ** 40)],
    ["a quiet mask that is no integer", () => addon.landlockCreateRuleset(1, 0, 0, 0.5)],
    ["a flag of more than 32 bits", () => addon.landlockAddPathRule(0, 0, 1, 2 ** 32)],
    // @ts-expect-error
    ["a null for a mask that may be left out", () => addon.landlockCreateRuleset(1, 0, 0, null)],
    // @ts-expect-error
    ["a missing argument", () => addon.landlockCreateRuleset(1, 0)],
    // @ts-expect-error
    ["a string for a descriptor", () => addon.fileType("0")],
    // @ts-expect-error
    ["a string for a path", () => addon.openPath("/usr")],
  ] as const)("%s", ([, call]) => {
    expect(call).toThrow(TypeError);
  });
});
