import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { type Architecture, type FilterAddition, programFilter } from "../../../src/seccomp/program-filter.ts";
import { needsAbi } from "../landlock/outcomes.ts";

const folder = mkdtempSync(join(tmpdir(), "fence-"));
const [preload, program] = [join(folder, "filter-at-start.so"), join(folder, "tcp-detours")];

beforeAll(() => {
  const compile = (source: string, ...args: string[]) =>
    execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", resolve(import.meta.dirname, source), ...args]);
  compile("filter-at-start.c", "-shared", "-fPIC", "-o", preload);
  compile("tcp-detours.c", "-o", program);
});

afterAll(() => rmSync(folder, { recursive: true }));

async function listeningPort(): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** For each way to a port that Landlock denies: 0 or the errno. null: no filter. */
async function ways(additions: readonly FilterAddition[] | null): Promise<Record<string, number>> {
  const filter = join(folder, "filter");
  if (additions !== null) writeFileSync(filter, programFilter("default", process.arch as Architecture, additions));
  const env = additions === null ? {} : { LD_PRELOAD: preload, FENCE_TEST_FILTER: filter };
  const { stdout } = await promisify(execFile)(program, [String(await listeningPort())], { env });
  return JSON.parse(stdout);
}

const { EACCES, EOPNOTSUPP, EPROTONOSUPPORT, ENOSYS } = constants.errno;

test("Landlock alone checks connect, also when Fast Open delays it, and Fast Open itself only since Linux 7.2", async (context) => {
  needsAbi(4, context);
  const alone = await ways(null);
  const { sendto } = alone;
  expect(alone).toMatchObject({ connect: EACCES, fastOpenConnect: EACCES, sendmsg: sendto, sendmmsg: sendto });
  // The fix is in stable kernels too, so the ABI does not tell.
  expect([0, EACCES]).toContain(sendto);
  expect(await ways([])).toEqual(alone);
});

test("with the additions to the filter no detour is left but listening on any free port", async (context) => {
  needsAbi(4, context);
  expect(await ways(["tcp-detours"])).toEqual({
    connect: EACCES,
    fastOpenConnect: EACCES,
    ...{ sendto: EOPNOTSUPP, sendmsg: EOPNOTSUPP, sendmmsg: EOPNOTSUPP },
    multipathTcp: EPROTONOSUPPORT,
    ioUring: ENOSYS,
    listenWithoutBind: 0,
  });
});

test("io_uring can be denied alone", async (context) => {
  needsAbi(4, context);
  expect(await ways(["io-uring"])).toEqual({ ...(await ways(null)), ioUring: ENOSYS });
});
