import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { publint } from "publint";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { packageFolder, root } from "../../build/paths.ts";
import { requires } from "../kit/requires.ts";
import { folder } from "../kit/sandbox.ts";
import { testFolder } from "../kit/test-folder.ts";

beforeEach(requires("bwrap", "npm", "tar"));

/** What npm packs, unpacked: `node_modules` of whoever has installed it. */
const installed = join(testFolder(), "installed", "node_modules");
const home = join(testFolder(), "installed", "home");
let packed: readonly string[] = [];

beforeAll(() => {
  const place = join(testFolder(), "installed");
  for (const each of [join(installed, "fence"), home]) mkdirSync(each, { recursive: true });
  const [tarball] = JSON.parse(succeed(place, "npm", "pack", "--offline", "--json", packageFolder));
  packed = tarball.files.map(({ path }: { readonly path: string }) => path);
  succeed(installed, "tar", "-xzf", join(place, tarball.filename), "-C", "fence", "--strip-components=1");
  mkdirSync(join(installed, "@types"));
  for (const types of ["@types/node", "undici-types"]) {
    symlinkSync(resolve(root, "node_modules", types), join(installed, types));
  }
}, 120_000);

/** A project that has installed the package. */
function project(files: Readonly<Record<string, string>>): string {
  const place = folder();
  symlinkSync(installed, join(place, "node_modules"));
  for (const [path, content] of Object.entries(files)) writeFileSync(join(place, path), content);
  return place;
}

function succeed(cwd: string, file: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, {
    cwd,
    encoding: "utf8",
    env: environment(),
    maxBuffer: 64 << 20,
  });
  expect({ status, said: status === 0 ? "" : stdout + stderr }).toEqual({ status: 0, said: "" });
  return stdout;
}

function environment() {
  return { PATH: process.env["PATH"], HOME: home };
}

const consumer = readFileSync(resolve(import.meta.dirname, "library-consumer.ts"), "utf8");

describe("the package", () => {
  test("holds the executable and the library, and no source, test or dependency", () => {
    expect(packed).toContain("dist/fence");
    expect(packed).toContain("dist/library/index.js");
    expect(packed).toContain("dist/library/index.d.ts");
    expect(packed).toContain("docs/library.md");
    expect(packed.filter((path) => /^(src|test|build|native|dist\/parts)\/|\.test\.|(?<!\.d)\.ts$/.test(path))).toEqual(
      [],
    );
    const manifest = JSON.parse(readFileSync(join(installed, "fence/package.json"), "utf8"));
    expect(Object.keys(manifest).filter((key) => /dependencies|scripts|workspaces|private/i.test(key))).toEqual([]);
  });

  test("is what publint has nothing to say about", async () => {
    const { messages } = await publint({ pkgDir: join(installed, "fence"), strict: true, pack: false });
    expect(messages).toEqual([]);
  });

  test("brings the command fence", () => {
    expect(succeed(folder(), join(installed, "fence/dist/fence"), "--version")).toMatch(/^fence \d/);
  });
});

describe("a project in TypeScript", () => {
  test.for([
    ["nodenext", { module: "nodenext", moduleResolution: "nodenext" }],
    ["bundler", { module: "esnext", moduleResolution: "bundler" }],
  ] as const)("compiles, strictly, with moduleResolution %s", ([, modules]) => {
    const compilerOptions = {
      ...{ target: "es2022", strict: true, exactOptionalPropertyTypes: true, noEmit: true, types: ["node"] },
      ...modules,
    };
    const place = project({
      "package.json": '{ "type": "module" }',
      "tsconfig.json": JSON.stringify({ compilerOptions, files: ["consumer.ts"] }),
      "consumer.ts": consumer,
    });
    succeed(place, process.execPath, resolve(root, "node_modules/typescript/bin/tsc"), "--project", ".");
  });

  test("runs", () => {
    const place = project({ "package.json": '{ "type": "module" }', "consumer.ts": consumer });
    expect(succeed(place, process.execPath, "consumer.ts")).toBe("hello\ncannot run\nended\n");
  });

  test("does not compile with what is not there", () => {
    const wrong = 'import { createSandbox } from "fence";\nawait createSandbox({ setings: {} });\n';
    const compilerOptions = { target: "es2022", strict: true, noEmit: true, types: ["node"], module: "nodenext" };
    const place = project({
      "package.json": '{ "type": "module" }',
      "tsconfig.json": JSON.stringify({ compilerOptions, files: ["wrong.ts"] }),
      "wrong.ts": wrong,
    });
    const tsc = resolve(root, "node_modules/typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "--project", "."], { cwd: place, encoding: "utf8" });
    expect(status).not.toBe(0);
    expect(stdout).toContain("setings");
  });
});

describe("a project in JavaScript", () => {
  const body = `
    const sandbox = await createSandbox({ settings: {} });
    try {
      const { stdout } = await sandbox.run("echo", ["hello"]);
      console.log(stdout.trim(), FenceError.name);
    } finally {
      await sandbox.close();
    }`;

  test.for([
    ["imports it", "consumer.mjs", `import { createSandbox, FenceError } from "fence";\n${body}`],
    [
      "imports it on demand, from CommonJS",
      "consumer.cjs",
      `import("fence").then(async ({ createSandbox, FenceError }) => {${body}});`,
    ],
    [
      "requires it",
      "consumer.cjs",
      `const { createSandbox, FenceError } = require("fence");\n(async () => {${body}})();`,
    ],
  ] as const)("%s", ([, name, text]) => {
    expect(succeed(project({ [name]: text }), process.execPath, name)).toBe("hello FenceError\n");
  });

  test("is told how to get the executable when it is missing", () => {
    const place = folder();
    mkdirSync(join(place, "node_modules/fence/dist"), { recursive: true });
    cpSync(join(installed, "fence/dist/library"), join(place, "node_modules/fence/dist/library"), { recursive: true });
    cpSync(join(installed, "fence/package.json"), join(place, "node_modules/fence/package.json"));
    const program = 'import { createSandbox } from "fence"; createSandbox().catch((e) => console.log(e.code, e.hint));';
    writeFileSync(join(place, "consumer.mjs"), program);
    expect(succeed(place, process.execPath, "consumer.mjs")).toMatch(
      /^FENCE_SERVICE reinstall the package, or build it/,
    );
  });

  test("finds another executable by FENCE_EXECUTABLE", () => {
    const program = 'import { createSandbox } from "fence"; createSandbox().catch((e) => console.log(e.code, e.path));';
    const place = project({ "consumer.mjs": program });
    const env = { ...environment(), FENCE_EXECUTABLE: "/no/such" };
    const { stdout } = spawnSync(process.execPath, ["consumer.mjs"], { cwd: place, encoding: "utf8", env });
    expect(stdout).toBe("FENCE_SERVICE /no/such\n");
  });
});
