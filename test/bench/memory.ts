/**
 * What bridges cost while nobody connects, and while a thousand readers do not read.
 *
 * Runs:     on the host (npm run bench).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants, copyFileSync, rmSync } from "node:fs";
import { fence } from "../../build/paths.ts";
import { freePort, startListening, stopAll } from "./children.ts";
import { interleaved, type Table } from "./measure.ts";
import type { Peers } from "./peers.ts";
import { megabytes, processesOf, settled } from "./processes.ts";

const readers = 1000;

export async function measureMemory(peers: Peers, folder: string, rounds: number): Promise<Table> {
  const own = `${folder}/fence`;
  copyFileSync(fence, own, constants.COPYFILE_FICLONE); // so that its processes are told from others by their file
  const rows = await interleaved(
    [
      { name: "fence, 1000 readers, TCP to Unix", measure: () => blockedReaders(peers, folder, "tcp") },
      { name: "fence, 1000 readers, Unix to TCP", measure: () => blockedReaders(peers, folder, "unix") },
      { name: "fence, bridges never used", measure: () => neverUsed(own, folder) },
    ],
    rounds,
  );
  return {
    id: "memory",
    title: "memory: blocked readers (what they add), and bridges that nobody uses",
    unit: "MB of PSS",
    better: "lower",
    rows,
    goals: rows.slice(0, 2).map(({ name }) => ({ kind: "value", of: name, bound: 12 })),
  };
}

/** How much a bridge grows by readers that never read what its target sends until nothing more fits. */
async function blockedReaders(peers: Peers, folder: string, listens: "tcp" | "unix"): Promise<number> {
  const running: ChildProcess[] = [];
  const [port, path] = [await freePort(), `${folder}/${listens}.sock`];
  rmSync(path, { force: true });
  const [tcp, unix] = [
    { place: { port }, server: `tcp:${port}`, bridge: `tcp:127.0.0.1:${port}` },
    { place: { path }, server: `unix:${path}`, bridge: `unix:${path}` },
  ];
  const [from, to] = listens === "tcp" ? [tcp, unix] : [unix, tcp];
  try {
    await startListening(running, [peers.loadGenerator, "server", to.server], to.place);
    const bridge = await startListening(running, [fence, "bridge", `${from.bridge}=${to.bridge}`], from.place);
    const before = await settled(() => megabytes(bridge));
    const hold = spawn(peers.loadGenerator, ["hold", from.server, "W", `${readers}`], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    running.push(hold);
    const [ready] = await once(hold.stdout.setEncoding("utf8"), "data");
    if (ready !== `ready ${readers}\n`) throw new Error(`of ${readers} readers: ${ready}`);
    return (await settled(() => megabytes(bridge))) - before;
  } finally {
    await stopAll(running);
  }
}

/** All of fence's processes beside a program that never connects. */
async function neverUsed(own: string, folder: string): Promise<number> {
  const port = await freePort();
  const options = ["--bridge", `tcp:127.0.0.1:${port}=unix:${folder}/nobody.sock`, "--landlock=off"];
  const program = spawn(own, ["bootstrap", ...options, "--", "/bin/sh", "-c", "echo started; exec sleep 1000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await Promise.race([once(program.stdout, "data"), once(program, "exit")]);
    return await settled(() => processesOf(own).reduce((sum, pid) => sum + megabytes(pid), 0));
  } finally {
    await stopAll([program]);
    for (const pid of processesOf(own)) process.kill(pid, "SIGKILL"); // the keeper may wait for daemons
  }
}
