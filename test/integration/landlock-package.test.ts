import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as landlock from "landlock-napi";
import { expect, test } from "vitest";
import { rights } from "../../src/landlock/abi.ts";

const native = fileURLToPath(new URL("../../native", import.meta.url));

const prefixes = {
  fs: "LANDLOCK_ACCESS_FS_",
  net: "LANDLOCK_ACCESS_NET_",
  scope: "LANDLOCK_SCOPE_",
  "restrict-flag": "LANDLOCK_RESTRICT_SELF_",
  "rule-flag": "LANDLOCK_ADD_RULE_",
} as const;

test("the package's constants are fence's table", () => {
  const expected = rights.map(({ kind, name, bit }) => [prefixes[kind] + name, bit]);
  expect(landlock.constants).toEqual(Object.fromEntries(expected));
});

test("the package exports the Landlock calls and constants only", () => {
  const calls = ["Abi", "Errata", "CreateRuleset", "AddPathRule", "AddPortRule", "RestrictSelf"];
  const others = ["setNoNewPrivs", "openPath", "fileType", "closeDescriptor", "constants"];
  expect(new Set(Object.keys(landlock))).toEqual(new Set([...calls.map((name) => `landlock${name}`), ...others]));
});

test("the C header says the same as fence's table", () => {
  const header = readFileSync(`${native}/landlock-napi/uapi/linux/landlock.h`, "utf8");
  const row =
    /^#define (LANDLOCK_(?:ACCESS|SCOPE|RESTRICT_SELF|ADD_RULE)_\w+)\s+\(1U(?:LL)? << (\d+)\)(?:.*ABI (\d+))?/gm;
  const found = [...header.matchAll(row)].map(([, name, shift, abi = "1"]) => `${name} ${shift} ${abi}`);
  const expected = rights.map(
    ({ kind, name, bit, firstAbi }) => `${prefixes[kind]}${name} ${Math.log2(bit)} ${firstAbi}`,
  );
  expect(found.toSorted()).toEqual(expected.toSorted());
});

test("the README's example runs and prints what the README says", () => {
  const readme = readFileSync(`${native}/landlock-napi/README.md`, "utf8");
  const example = /```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", example], {
    cwd: native,
    encoding: "utf8",
  });
  expect(printed).toBe("ls /usr: allowed\nls /etc: denied\n");
  expect(spawnSync("ls", ["/etc"]).status).toBe(0);
});
