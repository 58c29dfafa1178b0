import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { markerLibrary } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { arranged, asNobody, bootstrap, emptyRoot, fenced, folder, host, json, run, unfenced } from "../kit/sandbox.ts";

/** A dynamic program, which may obey what fence must not. */
const dynamic = "/bin/true";

interface Injection {
  readonly name: string;
  /** The variable's value; whoever obeys leaves a mark in the folder. */
  readonly value: (at: string) => string;
  /** Who obeys, without fence. */
  readonly victim: readonly string[];
}

function markingScript(at: string): string {
  writeFileSync(join(at, "script.cjs"), `require("node:fs").writeFileSync(${JSON.stringify(join(at, "mark"))}, "")`);
  return join(at, "script.cjs");
}

/** Every name by which the loader looks for the C library. */
function falseLibraries(at: string): string {
  for (const name of ["libc.so.6", "libstdc++.so.6", "libm.so.6", "libdl.so.2"]) {
    copyFileSync(markerLibrary, join(at, name));
  }
  return at;
}

const node = [process.execPath, "-e", "0"];
const injections: readonly Injection[] = [
  { name: "LD_PRELOAD", value: () => markerLibrary, victim: [dynamic] },
  { name: "LD_AUDIT", value: () => markerLibrary, victim: [dynamic] },
  { name: "NODE_OPTIONS", value: (at) => `--require ${markingScript(at)}`, victim: node },
  { name: "NODE_V8_COVERAGE", value: (at) => join(at, "mark"), victim: node },
  {
    name: "NODE_COMPILE_CACHE",
    value: (at) => join(at, "mark"),
    victim: [process.execPath, "-e", "require('node:fs')"],
  },
];

describe.for(injections)("an inherited $name", ({ name, value, victim }) => {
  test("is not obeyed by fence, and the program gets it byte for byte", async () => {
    const at = folder();
    const mark = join(at, "mark");
    const env = { [name]: value(at), FENCE_TEST_MARKER: mark };
    const outcome = await bootstrap(host, [], [host.probe, "env-raw", name], { env });
    expect(existsSync(mark), "fence obeyed").toBe(false);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(json(outcome).values).toEqual([Buffer.from(value(at)).toString("hex")]);
  });

  test("is not obeyed by fence's other commands", async () => {
    const at = folder();
    const mark = join(at, "mark");
    const env = { [name]: value(at), FENCE_TEST_MARKER: mark };
    expect(await run([host.fence, "--version"], { env })).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(mark), "fence obeyed").toBe(false);
  });

  test("is obeyed by others, under fence too", async () => {
    for (const command of [victim, [host.fence, "bootstrap", ...victim]]) {
      const at = folder();
      const env = { [name]: value(at), FENCE_TEST_MARKER: join(at, "mark") };
      expect(await run(command, { env })).toMatchObject({ status: 0 });
      expect(existsSync(join(at, "mark")), command.join(" ")).toBe(true);
    }
  });
});

test("LD_LIBRARY_PATH with false libraries breaks other programs, not fence", async () => {
  const env = { LD_LIBRARY_PATH: falseLibraries(folder()) };
  expect((await run([dynamic], { env })).status).not.toBe(0);
  const outcome = await bootstrap(host, [], [host.probe, "env-raw", "LD_LIBRARY_PATH"], { env });
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(json(outcome).values).toEqual([Buffer.from(env.LD_LIBRARY_PATH).toString("hex")]);
});

describe("fence runs, says nothing, and the program gets", () => {
  test.for([
    ["NODE_OPTIONS", "--no-such-option"],
    ["NODE_EXTRA_CA_CERTS", "/no/such/file"],
    ["NODE_DEBUG", "*"],
    ["NODE_DEBUG_NATIVE", "*"],
    ["NODE_REPL_EXTERNAL_MODULE", "/no/such/module"],
    ["NODE_CHANNEL_FD", "3"],
    ["NODE_UNIQUE_ID", "1"],
    ["NODE_ICU_DATA", "/no/such"],
    ["OPENSSL_CONF", "/no/such/file"],
    ["OPENSSL_MODULES", "/no/such"],
    ["SSL_CERT_FILE", "/no/such/file"],
    ["GLIBC_TUNABLES", "glibc.rtld.optional_static_tls=0:glibc.malloc.check=3:nonsense"],
    ["LD_BIND_NOW", "1"],
    ["LD_DEBUG", "all"],
    ["LD_SHOW_AUXV", "1"],
    ["LD_TRACE_LOADED_OBJECTS", "1"],
    ["LD_ASSUME_KERNEL", "1.0.0"],
    ["MALLOC_PERTURB_", "165"],
    ["LOCPATH", "/no/such"],
    ["GCONV_PATH", "/no/such"],
    ["LANG", "xx_XX.no-such"],
    ["TZ", ":/no/such"],
    ["UV_THREADPOOL_SIZE", "0"],
    ["UV_USE_IO_URING", "1"],
    ["FENCE_STUB", "0,1,2"],
    ["FENCE_STUB", "nonsense"],
  ] as const)("%s=%s", async ([name, value]) => {
    const command = [host.probe, "env-raw", name];
    const outcome = await bootstrap(host, [], command, { env: { [name]: value } });
    // What the program's own C library says of it is not fence's.
    const { stderr } = await run(command, { env: { [name]: value } });
    expect(outcome).toMatchObject({ status: 0, stderr });
    expect(json(outcome).values).toEqual([Buffer.from(value).toString("hex")]);
  });

  test("variables with the same names many times over", async () => {
    const many = ["LD_PRELOAD", "NODE_OPTIONS", "FENCE_STUB"].flatMap((name) =>
      [1, 2, 3].flatMap((i) => ["add-variable", `${name}=${name === "LD_PRELOAD" ? "" : "x"}${i}`]),
    );
    const start = arranged(host, ...many);
    const variable = ["add-variable", "FENCE_SANDBOX=1"];
    const { envHash } = await unfenced(arranged(host, ...many, ...variable), ["facts"]);
    expect(await fenced(start, [], ["facts"])).toMatchObject({ envHash });
  });
});

test("an OpenSSL configuration that cannot be read ends other Nodes, not fence", async (context) => {
  requires("root", "setpriv")(context);
  const file = join(folder(), "openssl.cnf");
  writeFileSync(file, "");
  chmodSync(file, 0o000);
  const env = { OPENSSL_CONF: file };
  const nobody = asNobody(host);
  expect((await run(nobody.enter([process.execPath, "-e", "0"]), { env })).status).not.toBe(0);
  expect(await bootstrap(nobody, [], [host.probe, "exit", "42"], { env })).toMatchObject({ status: 42, stderr: "" });
});

describe("what stands in the sandbox's root", () => {
  beforeEach(requires("bwrap"));

  test("is not preloaded into fence: /etc/ld.so.preload", async () => {
    const at = folder();
    mkdirSync(join(at, "marks"));
    writeFileSync(join(at, "preload"), "/marker.so\n");
    const libraries = ["/usr/lib", "/lib", "/lib64"].flatMap((path) => ["--ro-bind-try", path, path]);
    const preload = ["--ro-bind", join(at, "preload"), "/etc/ld.so.preload", "--ro-bind", markerLibrary, "/marker.so"];
    const marks = ["--bind", join(at, "marks"), "/marks", "--ro-bind", dynamic, "/true"];
    const root = emptyRoot(...libraries, ...preload, ...marks, "--setenv", "FENCE_TEST_MARKER", "/marks/mark");

    expect(await bootstrap(root, [], ["/probe", "exit", "42"])).toMatchObject({ status: 42, stderr: "" });
    expect(readdirSync(join(at, "marks"))).toEqual([]);
    expect(await run(root.enter(["/true"]))).toMatchObject({ status: 0 });
    expect(readdirSync(join(at, "marks"))).toEqual(["mark"]);
  });

  test("is not loaded into fence: libraries of another C library", async () => {
    const at = falseLibraries(folder());
    const folders = ["/lib64", "/lib", "/usr/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"];
    const root = emptyRoot(...folders.flatMap((path) => ["--ro-bind", at, path]).slice(0, 6));
    const marked = { env: { FENCE_TEST_MARKER: "/no/such" } };
    expect(await bootstrap(root, [], ["/probe", "exit", "42"], marked)).toMatchObject({ status: 42, stderr: "" });
  });

  test("does not steer Node: package.json, node_modules and .env of the working directory", async () => {
    const at = folder();
    const poison = "process.stdout.write('poison')";
    mkdirSync(join(at, "node_modules"));
    writeFileSync(join(at, "package.json"), '{"type":"module","main":"poison.js"}');
    writeFileSync(join(at, ".env"), "NODE_OPTIONS=--no-such-option");
    writeFileSync(join(at, "node.config.json"), '{"nodeOptions":{"require":"./poison.cjs"}}');
    for (const name of ["poison.cjs", "index.js", "main.cjs", "bootstrap", "node_modules/fs.js"])
      writeFileSync(join(at, name), poison);
    const root = emptyRoot("--ro-bind", at, "/work", "--chdir", "/work");
    const outcome = await bootstrap(root, [], ["/probe", "exit", "42"]);
    expect(outcome).toMatchObject({ status: 42, stdout: "", stderr: "" });
  });
});
