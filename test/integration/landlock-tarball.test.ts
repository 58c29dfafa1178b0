import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeGyp, nodePackage } from "../../build/paths.ts";

const source = resolve(import.meta.dirname, "../../native/landlock-napi");
const folder = realpathSync(mkdtempSync(join(tmpdir(), "fence-")));
const bin = join(folder, "bin");
const installed = join(folder, "node_modules/landlock-napi");
/** Nothing but Node and npm: no compiler, no make, no shell. */
const bare = { PATH: bin, HOME: folder, npm_config_cache: join(folder, "cache") };

let tarball: string;
let packed: readonly string[];

beforeAll(() => {
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "node"));
  symlinkSync(onPath("npm"), join(bin, "npm"));
  const listing = npm(source, "pack", "--json", "--ignore-scripts", "--pack-destination", folder);
  const found = JSON.parse(listing) as Listing | Record<string, Listing[number]>;
  const [made] = Object.values(found);
  if (made === undefined) throw new Error(`npm pack made nothing: ${listing}`);
  tarball = join(folder, made.filename);
  packed = made.files.map(({ path }) => path);
  writeFileSync(join(folder, "package.json"), "{}");
  npm(folder, "install", "--offline", "--no-audit", "--no-fund", tarball);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true }));

/** An object by name since npm 12. */
type Listing = readonly { readonly filename: string; readonly files: readonly { readonly path: string }[] }[];

function onPath(name: string): string {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((directory) => join(directory, name));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`there is no ${name} on PATH`);
  return realpathSync(found);
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync(join(bin, "node"), [join(bin, "npm"), ...args], { cwd, env: bare, encoding: "utf8" });
}

/** What a Node module that imports the installed package prints. */
function run(script: string): string {
  const args = ["--input-type=module", "-e", script];
  return execFileSync(join(bin, "node"), args, { cwd: folder, env: bare, encoding: "utf8" }).trim();
}

const restrictAndRead = `
  import { readFileSync } from "node:fs";
  import * as landlock from "landlock-napi";
  const { LANDLOCK_ACCESS_FS_READ_FILE: right } = landlock.constants;
  const outcome = (path) => { try { readFileSync(path); return "ok"; } catch ({ code }) { return code; } };
  const paths = ["node_modules/landlock-napi/LICENSE", "package.json"];
  const before = paths.map(outcome);
  const ruleset = landlock.landlockCreateRuleset(right, 0, 0);
  const allowed = landlock.openPath(Buffer.from("node_modules"));
  const calls = [
    landlock.landlockAddPathRule(ruleset, allowed, right),
    landlock.setNoNewPrivs(),
    landlock.landlockRestrictSelf(ruleset, 0),
  ];
  console.log(JSON.stringify({ calls, before, after: paths.map(outcome) }));
`;
const works = { calls: [0, 0, 0], before: ["ok", "ok"], after: ["ok", "EACCES"] };

test("the tarball, installed where there is no compiler, loads and enforces a rule", () => {
  for (const tool of ["cc", "gcc", "make", "python3", "sh"]) {
    expect(spawnSync(tool, ["--version"], { env: bare }).error, tool).toMatchObject({ code: "ENOENT" });
  }
  expect(JSON.parse(run(restrictAndRead))).toEqual(works);
});

test("it holds the prebuilt addon, the typings, the licence, and every source that a build names", () => {
  const { targets } = JSON.parse(readFileSync(`${source}/binding.gyp`, "utf8"));
  const [{ sources, include_dirs: includes }] = targets;
  expect(packed).toEqual(
    expect.arrayContaining([
      ...[
        "LICENSE",
        "README.md",
        "index.js",
        "index.d.ts",
        "addon.js",
        "addon.d.ts",
        "binding.gyp",
        "relay/relay.d.ts",
      ],
      ...[`prebuilds/linux-${process.arch}/landlock_napi.node`, "uapi/linux/landlock.h", ...sources],
    ]),
  );
  expect(includes).toEqual(["uapi"]);
  expect(packed.filter((path) => path.startsWith("build/"))).toEqual([]);
  const licence = readFileSync(resolve(source, "../../LICENSE"), "utf8");
  expect(readFileSync(join(installed, "LICENSE"), "utf8")).toBe(licence);
});

test("without a prebuilt addon it says so, and is built from what the tarball holds", { timeout: 120_000 }, () => {
  rmSync(join(installed, "prebuilds"), { recursive: true });
  const failed = spawnSync(join(bin, "node"), ["--input-type=module", "-e", restrictAndRead], {
    cwd: folder,
    env: bare,
  });
  expect(String(failed.stderr)).toContain(`landlock-napi is not built for linux-${process.arch}`);
  const args = [nodeGyp, "rebuild", "--silent", `--nodedir=${nodePackage}`];
  execFileSync(process.execPath, args, { cwd: installed, env: { ...process.env, HOME: folder } });
  expect(JSON.parse(run(restrictAndRead))).toEqual(works);
});
