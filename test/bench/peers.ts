/**
 * The programs that fence is measured against, and the load generator. They are not part of fence.
 *
 * Runs:     on the host (npm run bench).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { root } from "../../build/paths.ts";

const folder = resolve(root, process.env["FENCE_BENCH_PEERS"] ?? "../shared/bench");

export interface Peers {
  /** bubblewrap, a shell script and two socats: what fence bootstrap replaces. */
  readonly shellBootstrap: string;
  /** A minimal epoll and splice(2) relay in C: the practical limit. */
  readonly spliceRelay: string;
  readonly loadGenerator: string;
  /** Our own: the program that uses a bridge at once. */
  readonly firstByte: string;
}

/** Compiles the peers into `into`. */
export function makePeers(into: string): Peers {
  const shellBootstrap = `${folder}/shell-socat-bootstrap.sh`;
  if (!existsSync(shellBootstrap)) {
    throw new Error(
      `the peers (shell-socat-bootstrap.sh, splice-relay.c, loadgen.c), which are not part of fence, are not in ${folder}: ` +
        "say where they are with FENCE_BENCH_PEERS=FOLDER",
    );
  }
  return {
    shellBootstrap,
    spliceRelay: compile(`${folder}/splice-relay.c`, `${into}/splice-relay`),
    loadGenerator: compile(`${folder}/loadgen.c`, `${into}/loadgen`),
    firstByte: compile(`${root}/test/bench/first-byte.c`, `${into}/first-byte`),
  };
}

export function compile(source: string, output: string, options: readonly string[] = []): string {
  const { status, stderr } = spawnSync("cc", ["-O2", "-w", "-pthread", ...options, "-o", output, source], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`cannot compile ${source}:\n${stderr}`);
  return output;
}
