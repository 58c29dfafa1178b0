import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { homeFolder, launch, launchCommand } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { run } from "../kit/sandbox.ts";
import { slowlyRead, slowServer } from "../kit/slow-reader.ts";
import { quoted } from "../kit/terminal.ts";
import { type Way, ways } from "../kit/ways.ts";

beforeEach(requires("bwrap"));

const [rounds, atOnce] = [20, 4];
const pauseMs = 1;

/** A program that writes so many bytes to a pipe and to the proxy's listener, and ends with the last of them. */
async function written(way: Way, size: number, last: "pipe" | "proxy"): Promise<unknown> {
  const fifo = join(homeFolder(), "out");
  expect(await run(["mkfifo", fifo])).toMatchObject({ status: 0 });
  const server = await slowServer({ host: "127.0.0.1", port: 0 }, pauseMs);
  const [toPipe, toProxy] = [`head -c ${size} /dev/zero`, `${probe} send-bytes 3128 ${size}`];
  const script = last === "pipe" ? `${toProxy}; exec ${toPipe}` : `${toPipe}; exec ${toProxy}`;
  const options = ["--http-proxy", `tcp:127.0.0.1:${server.port}`];
  const fenced = launchCommand(["sh", "-c", script], { through: way, options });
  const sandbox = launch(["sh", "-c", `exec ${quoted(fenced)} > ${fifo}`], { through: "nothing" });
  const [pipe, proxy, { status, stderr }] = await Promise.all([
    slowlyRead(fifo, pauseMs),
    server.received,
    sandbox.outcome,
  ]);
  return { pipe, proxy, status, stderr };
}

describe.for(ways)("what the program writes last arrives, %s:", (way) => {
  test.for([1 << 10, 1 << 16, 1 << 20, 1 << 22])("%i bytes, for slow readers", async (size) => {
    for (let round = 0; round < rounds; round += atOnce) {
      const some = Array.from({ length: atOnce }, (_, i) => written(way, size, i % 2 === 0 ? "pipe" : "proxy"));
      const all = { pipe: size, proxy: size, status: 0, stderr: "" };
      expect(await Promise.all(some), `round ${round}`).toEqual(some.map(() => all));
    }
  });
});
