/**
 * The whole stub with checks for undefined behaviour, in place of the one in dist/fence: P0, keeper, bridge process,
 * reaper, throw-away child, and what becomes Node. A check that fails is an illegal instruction: without a C library
 * there is nobody to print it. AddressSanitizer needs one; the parts that can have it are in test/integration/stub/.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { stubFlags, stubSources } from "../../build/native.ts";
import { index, magic } from "../../build/pack.ts";
import { root } from "../../build/paths.ts";
import { requires } from "../kit/requires.ts";
import { bootstrap, folder, host, type Place, run } from "../kit/sandbox.ts";
import { testFolder } from "../kit/test-folder.ts";

const checks = ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"];
const indexBytes = index.parts + index.partSize * index.maxParts;
/** Parts start behind that much, docs/packed-format.md. */
const roomBytes = 65536;
const fence = join(testFolder(), "fence-with-checks");
const checked: Place = { ...host, fence };

beforeAll(() => {
  const stub = join(testFolder(), "stub-with-checks");
  execFileSync("cc", [...stubFlags, ...checks, "-o", stub, ...stubSources()], { cwd: root });
  const bytes = readFileSync(stub);
  expect(bytes.length).toBeLessThan(roomBytes);
  const packed = readFileSync(host.fence).subarray(0, roomBytes);
  packed.copy(bytes, bytes.indexOf(magic), packed.indexOf(magic), packed.indexOf(magic) + indexBytes);
  copyFileSync(host.fence, fence);
  const file = openSync(fence, "r+");
  writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  chmodSync(fence, 0o755);
});

test("the checks end a program that shifts too far", () => {
  const source = join(folder(), "shift.c");
  writeFileSync(source, "int main(int argc, char **argv) { (void)argv; return 1 << (argc + 40); }");
  execFileSync("cc", [...checks, "-o", `${source}.out`, source]);
  expect(spawnSync(`${source}.out`).signal).toBe("SIGILL");
});

test.for([
  { what: "options", options: ["--env", "A=b", "--unset-env", "C", "--chdir", "/", "--rox", "/"], status: 7 },
  { what: "--init", options: ["--init"], status: 7 },
  { what: "--verify", options: ["--verify", "--rox", "/", "--connect-tcp", "443", "--scope", "signal"], status: 7 },
])("no check fails with $what", async ({ options, status }) => {
  const outcome = await bootstrap(checked, options, [host.probe, "exit", "7"]);
  expect(outcome).toMatchObject({ status, stderr: "" });
});

test.for([
  { what: "a program's end", program: [host.probe, "exit", "7"], status: 7, signal: null },
  { what: "its death", program: ["sh", "-c", "kill -KILL $$"], status: null, signal: "SIGKILL" },
  { what: "none", program: ["/no/such/program"], status: 127, signal: null },
])("no check fails in front and sandbox of fence run, with $what", async ({ program, status, signal }, context) => {
  requires("bwrap")(context);
  const home = folder();
  const options = ["--allow-read", testFolder()];
  const outcome = await run([fence, "run", ...options, "--", ...program], { cwd: home, env: { HOME: home } });
  expect(outcome).toMatchObject({ status, signal });
});

test("no check fails when the program is missing", async () => {
  expect(await bootstrap(checked, [], ["/no/such/program"])).toMatchObject({ status: 127 });
});

test.for([{ options: [] }, { options: ["--init"] }])(
  "no check fails with a bridge that is used, $options",
  async ({ options }, context) => {
    requires("bwrap")(context);
    const target = join(folder(), "target");
    const server = createServer((socket) => socket.end("answer")).listen(target);
    const command = ["bootstrap", ...options, "--bridge", `tcp:127.0.0.1:4000=unix:${target}`, "--"];
    const net = ["bwrap", "--dev-bind", "/", "/", "--unshare-net", "--proc", "/proc", fence];
    const outcome = await run([...net, ...command, "bash", "--norc", "-c", "cat < /dev/tcp/127.0.0.1/4000"]);
    expect(outcome).toMatchObject({ status: 0, stdout: "answer", stderr: "" });
    server.close();
  },
);
