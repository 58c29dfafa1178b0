/**
 * The programs that are measured, started and stopped.
 *
 * Runs:     on the host (npm run bench).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";

/** Added to our own. */
export type Environment = Readonly<Record<string, string>>;

/** What the command prints; it must end well. */
export function outputOf(command: string, args: readonly string[], environment: Environment = {}): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  if (error !== undefined) throw new Error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

/** Where a program listens: a port on loopback, or the path of a Unix socket. */
export type Place = { readonly port: number } | { readonly path: string };

/** Starts the command, puts it among the `running`, and waits until it accepts connections. */
export async function startListening(
  running: ChildProcess[],
  [command = "", ...args]: readonly string[],
  place: Place,
): Promise<number> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });
  running.push(child);
  while (!(await accepts(place))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
  }
  return child.pid ?? 0;
}

/** Ends them, and waits until they have ended. */
export async function stopAll(running: readonly ChildProcess[]): Promise<void> {
  const ends = running
    .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    .map((child) => once(child, "exit"));
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(ends);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function accepts(place: Place): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect("port" in place ? { ...place, host: "127.0.0.1" } : place);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
