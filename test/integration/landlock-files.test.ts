import { describe, expect, test } from "vitest";
import { maskOf } from "../../src/landlock/abi.ts";
import { logWords } from "../../src/landlock/options.ts";
import { kernelAbi, needsAbi, outcomesOf, outcomesUnder } from "./landlock/outcomes.ts";

describe("--ro", () => {
  test("allows reading and listing beneath the path and nothing outside it", async () => {
    const { free, fenced } = await outcomesOf(
      (files) => ({ rules: [{ access: "ro", path: `${files}/a` }] }),
      (files) => [
        ["read", `${files}/a/file`],
        ["list", `${files}/a`],
        ["read", `${files}/b/file`],
        ["list", `${files}/b`],
      ],
    );
    expect(free).toEqual(["ok", "ok", "ok", "ok"]);
    expect(fenced).toEqual(["ok", "ok", "EACCES", "EACCES"]);
  });

  test("allows no change of any kind", async () => {
    const { free, fenced } = await outcomesOf(
      (files) => ({ rules: [{ access: "ro", path: files }] }),
      (files) => [
        ["write", `${files}/file`],
        ["truncate", `${files}/file`],
        ["create", `${files}/new`],
        ["makeDirectory", `${files}/new-directory`],
        ["rename", `${files}/a/file`, `${files}/a/other`],
        ["link", `${files}/file`, `${files}/link`],
        ["remove", `${files}/file`],
      ],
    );
    expect(free).toEqual(Array(7).fill("ok"));
    expect(fenced).toEqual(Array(7).fill("EACCES"));
  });

  test("on a file allows that file only", async () => {
    const { free, fenced } = await outcomesOf(
      (files) => ({ rules: [{ access: "ro", path: `${files}/a/file` }] }),
      (files) => [
        ["read", `${files}/a/file`],
        ["read", `${files}/b/file`],
      ],
    );
    expect(free).toEqual(["ok", "ok"]);
    expect(fenced).toEqual(["ok", "EACCES"]);
  });
});

describe("--rox", () => {
  test("allows execution, --ro does not", async () => {
    const system = ["/usr", "/lib", "/lib64"];
    const run = (access: "ro" | "rox") =>
      outcomesOf(
        () => ({ rules: system.map((path) => ({ access, path })) }),
        () => [["execute", "/usr/bin/true"]],
      );
    expect(await run("rox")).toEqual({ free: ["ok"], fenced: ["ok"] });
    expect(await run("ro")).toEqual({ free: ["ok"], fenced: ["EACCES"] });
  });
});

describe("--rw", () => {
  test("allows every change beneath the path and none outside it", async () => {
    const { free, fenced } = await outcomesOf(
      (files) => ({ rules: [{ access: "rw", path: `${files}/a` }] }),
      (files) => [
        ["write", `${files}/a/file`],
        ["truncate", `${files}/a/file`],
        ["create", `${files}/a/new`],
        ["makeDirectory", `${files}/a/new-directory`],
        ["link", `${files}/a/file`, `${files}/a/link`],
        ["remove", `${files}/a/new`],
        ["write", `${files}/b/file`],
        ["create", `${files}/b/new`],
        ["remove", `${files}/b/file`],
      ],
    );
    expect(free).toEqual(Array(9).fill("ok"));
    expect(fenced).toEqual([...Array(6).fill("ok"), ...Array(3).fill("EACCES")]);
  });

  test("on a file allows writing and truncating it, and no other file beside it", async () => {
    const { free, fenced } = await outcomesOf(
      (files) => ({ rules: [{ access: "rw", path: `${files}/a/file` }] }),
      (files) => [
        ["write", `${files}/a/file`],
        ["truncate", `${files}/a/file`],
        ["create", `${files}/a/new`],
        ["remove", `${files}/a/file`],
      ],
    );
    expect(free).toEqual(["ok", "ok", "ok", "ok"]);
    expect(fenced).toEqual(["ok", "ok", "EACCES", "EACCES"]);
  });

  test("allows ioctl on a device, --ro does not", async (context) => {
    needsAbi(5, context);
    const run = (access: "ro" | "rw") =>
      outcomesOf(
        () => ({ rules: [{ access, path: "/dev" }] }),
        () => [["terminalIoctl", "/dev/ptmx"]],
      );
    expect(await run("rw")).toEqual({ free: ["ok"], fenced: ["ok"] });
    expect(await run("ro")).toEqual({ free: ["ok"], fenced: ["not a tty"] });
  });
});

describe("a rename from one directory to another", () => {
  const rename = (files: string) => [["rename", `${files}/a/file`, `${files}/b/moved`]] as const;

  test("is allowed between two rules with the same rights", async (context) => {
    needsAbi(2, context);
    const outcomes = await outcomesOf(
      (files) => ({
        rules: [
          { access: "rw", path: `${files}/a` },
          { access: "rw", path: `${files}/b` },
        ],
      }),
      rename,
    );
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["ok"] });
  });

  test("is EXDEV when the file would gain a right", async (context) => {
    needsAbi(2, context);
    const outcomes = await outcomesOf(
      (files) => ({
        rules: [
          { access: "rw", path: `${files}/a` },
          { access: "rwx", path: `${files}/b` },
        ],
      }),
      rename,
    );
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["EXDEV"] });
  });

  test("is EXDEV with the ruleset for ABI 1, which cannot grant REFER", async () => {
    const outcomes = await outcomesOf((files) => ({ rules: [{ access: "rw", path: files }] }), rename, { abi: 1 });
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["EXDEV"] });
  });

  test("is EXDEV under any ruleset with one file right, unless the root grants REFER", async (context) => {
    needsAbi(2, context);
    const only = (handledFs: number, paths: readonly string[]) =>
      outcomesUnder(
        () => ({
          handledFs,
          handledNet: 0,
          scoped: 0,
          ports: [],
          paths: paths.map((path) => ({ path, directoryAccess: maskOf("fs", ["REFER"]), fileAccess: 0 })),
        }),
        rename,
      );
    expect(await only(maskOf("fs", ["MAKE_FIFO"]), [])).toEqual({ free: ["ok"], fenced: ["EXDEV"] });
    expect(await only(maskOf("fs", ["MAKE_FIFO", "REFER"]), ["/"])).toEqual({ free: ["ok"], fenced: ["ok"] });
  });

  test("is left alone by a ruleset without file rights", async (context) => {
    needsAbi(6, context);
    const outcomes = await outcomesOf(() => ({ connectTcp: [1], scopes: ["signal"] }), rename);
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["ok"] });
  });
});

test.for([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])("the ruleset for ABI %i is accepted and denies", async (abi, context) => {
  needsAbi(abi, context);
  const { free, fenced } = await outcomesOf(
    (files) => ({
      rules: [
        { access: "rwx", path: `${files}/a` },
        { access: "ro", path: `${files}/file` },
      ],
      unixSockets: [`${files}/b`],
      bindTcp: [0],
      connectTcp: [443],
      bindUdp: [0],
      connectUdp: [53],
      scopes: ["signal", "abstract-unix"],
      quiet: { paths: [files], ports: [443], scopes: ["signal"] },
      log: logWords,
    }),
    (files) => [
      ["write", `${files}/a/file`],
      ["read", `${files}/file`],
      ["read", `${files}/b/file`],
    ],
    { abi },
  );
  expect(free).toEqual(["ok", "ok", "ok"]);
  expect(fenced).toEqual(["ok", "ok", "EACCES"]);
});

test("this machine has Landlock", () => {
  expect(kernelAbi).toBeGreaterThanOrEqual(1);
});
