/**
 * How long a program waits for its first byte when nobody has used the bridge before.
 *
 * Runs:     on the host (npm run bench).
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { packedNode } from "../../build/paths.ts";
import { outputOf, startListening, stopAll } from "./children.ts";
import { interleaved, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { fenceInBwrap, proxyPort } from "./sandbox.ts";
import { milliseconds } from "./stopwatch.ts";

export async function measureColdBridge(peers: Peers, folder: string, rounds: number): Promise<Table> {
  const [httpProxy, socksProxy] = [`${folder}/echo.sock`, `${folder}/other.sock`];
  const other = createServer().listen(socksProxy);
  await once(other, "listening");
  const running: ChildProcess[] = [];
  try {
    await startListening(running, [peers.loadGenerator, "server", `unix:${httpProxy}`], { path: httpProxy });
    const sandbox = fenceInBwrap({ httpProxy, socksProxy, programs: [peers.firstByte] });
    const command = [...sandbox, peers.firstByte, `${proxyPort}`, "E"];
    const rows = await interleaved(
      [
        { name: "fence, first byte", measure: () => Number(outputOf("bwrap", command)) / 1000 },
        { name: "one start of Node", measure: () => milliseconds(packedNode, ["-e", "0"]) },
      ],
      rounds,
    );
    return {
      id: "cold-bridge",
      title: "first byte through a bridge that was never used",
      unit: "ms",
      better: "lower",
      rows,
      goals: [{ kind: "ratio", against: "one start of Node", bound: 2 }],
    };
  } finally {
    await stopAll(running);
    other.close();
  }
}
