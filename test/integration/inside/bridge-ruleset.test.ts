import { execFileSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import { resolve } from "node:path";
import addon from "landlock-napi/addon";
import { expect, test } from "vitest";
import type { Address } from "../../../src/bridge/address.ts";
import { makeBridgeRuleset } from "../../../src/inside/bridge-ruleset.ts";
import { maskOf } from "../../../src/landlock/abi.ts";
import type { Addon } from "../../../src/sys/addon.ts";
import { needsAbi } from "../landlock/outcomes.ts";
import { files } from "./files.ts";

const connectUnix = maskOf("fs", ["RESOLVE_UNIX"]);
const unix = (path: string): Address => ({ kind: "unix", path });

/** The rules that a kernel of this ABI would be given, by the real path of what was opened. */
function rulesFor(abi: number, targets: readonly Address[]): readonly unknown[] {
  const rules: unknown[] = [];
  const recording: Addon = {
    ...addon,
    landlockAbi: () => abi,
    landlockCreateRuleset: () => 1000,
    landlockAddPathRule: (_, parent, access) => {
      rules.push([readlinkSync(`/proc/self/fd/${parent}`), access]);
      return 0;
    },
    landlockAddPortRule: (_, port, access) => {
      rules.push([port, access]);
      return 0;
    },
  };
  expect(makeBridgeRuleset(recording, targets).fd).toBe(1000);
  return rules;
}

test("a Unix target's directory is allowed, which outlives the socket; of TCP targets the port", () => {
  const path = files().directory;
  const targets = [unix(`${path}/not-yet`), { kind: "tcp", host: "127.0.0.1", port: 3128 } as const];
  expect(rulesFor(9, targets)).toEqual([
    [path, connectUnix],
    [3128, maskOf("net", ["CONNECT_TCP"])],
  ]);
  expect(rulesFor(7, targets)).toHaveLength(1);
});

test("for a symbolic link the directory that it leads to is allowed too", () => {
  const { directory: path, folder, make, link } = files();
  for (const name of ["link", "real"]) folder(name);
  make("real/socket", "");
  link("link/socket", "../real/socket");
  expect(rulesFor(9, [unix(`${path}/link/socket`)])).toEqual([
    [`${path}/link`, connectUnix],
    [`${path}/real`, connectUnix],
  ]);
});

test("a directory that cannot be opened is skipped", () => {
  const { directory, make, link } = files();
  make("file", "");
  link("loop", "loop");
  const targets = ["missing/s", "file/below/s", "loop/s"].map((name) => unix(`${directory}/${name}`));
  expect(rulesFor(9, targets)).toEqual([]);
});

test("a kernel without Landlock gives no ruleset", () => {
  expect(makeBridgeRuleset({ ...addon, landlockAbi: () => -38 }, [unix("/run/s")])).toMatchObject({
    fd: -1,
    choice: { kind: "none" },
  });
});

test("the kernel enforces it: no file can be opened", (context) => {
  needsAbi(1, context);
  const script = `
    const { makeBridgeRuleset } = await import(${JSON.stringify(resolve("src/inside/bridge-ruleset.ts"))});
    const { default: addon } = await import("landlock-napi/addon");
    const { statSync, readFileSync } = await import("node:fs");
    const { fd } = makeBridgeRuleset(addon, [{ kind: "unix", path: "/run/s" }]);
    if (addon.setNoNewPrivs() < 0 || (process.argv[1] === "restrict" && addon.landlockRestrictSelf(fd, 0) < 0)) throw 1;
    try { readFileSync(process.execPath); console.log("ok") } catch ({ code }) { console.log(code) }
  `;
  const child = (word: string) =>
    execFileSync(process.execPath, ["--input-type=module", "-e", script, word], { encoding: "utf8" }).trim();
  expect(child("restrict")).toBe("EACCES");
  expect(child("leave")).toBe("ok");
});
