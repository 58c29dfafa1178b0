/**
 * A launcher as small as can be: the host ends of a sandbox's bridges, and bwrap with a plan written by hand.
 *
 * Runs:     in a child process of the tests, as root or as an unprivileged user; the argument is a HostEndsTask.
 * Promises: says by IPC what is open, what the program prints, and how all ended; ends when the sandbox has.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import addon from "landlock-napi/addon";
import { sandboxPath } from "../../src/base/paths.ts";
import { HostBridges } from "../../src/launcher/host-bridges.ts";
import { RuntimeDirectory, sweepRuntimeDirectories } from "../../src/launcher/runtime-directory.ts";
import type { HostEndsTask } from "./host-ends.ts";

const planFd = 3;
const statusFd = 4;
const firstHanded = 5;

const task: HostEndsTask = JSON.parse(process.argv[2] ?? "");
const { uid } = task;
const tell = (message: object) => void process.send?.(message);

const swept = sweepRuntimeDirectories(addon, { environment: process.env, uid });
const directory = RuntimeDirectory.make(addon, { environment: process.env, uid });
const messages: string[] = [];
const debug = (message: string) => void messages.push(message);
const bridges = await HostBridges.open(addon, task.request, directory, { uid, debug });
const handed = bridges.handed.map(({ fd }) => fd);
tell({ kind: "open", swept, directory: directory.path, published: bridges.published });

const plan = {
  version: 1,
  ...bridges.plan({
    socket: (name) => sandboxPath(`/tmp/fence/run/${name}`),
    descriptors: handed.map((_, i) => firstHanded + i),
  }),
  init: true,
  program: task.program,
};
plan.bridges = [...plan.bridges, ...(task.moreBridges ?? [])];
const mounts = bridges.sockets.flatMap(({ name, path }) => ["--bind", path, `/tmp/fence/run/${name}`]);
const root = ["--ro-bind", task.fence, "/tmp/fence/bin/fence", "--ro-bind", task.probe, "/probe", "--proc", "/proc"];
const boot = ["/tmp/fence/bin/fence", "bootstrap", "--plan-fd", `${planFd}`, "--status-fd", `${statusFd}`];
const child: ChildProcess = spawn(
  "bwrap",
  [
    "--unshare-all",
    "--die-with-parent",
    "--as-pid-1",
    ...root,
    ...mounts,
    ...task.bwrap,
    "--remount-ro",
    "/",
    "--",
    ...boot,
  ],
  { stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", ...handed] },
);
bridges.handedOver();
bridges.serve();
const [, stdout, stderr, plans, reports] = child.stdio;
(plans as Writable).end(JSON.stringify(plan));
createInterface({ input: stdout as Readable }).on("line", (line) => tell({ kind: "line", line }));
process.on("message", (message) => {
  if (message === "end") child.kill("SIGKILL");
});
const report: { event: string }[] = [];
createInterface({ input: reports as Readable }).on("line", (line) => {
  report.push(JSON.parse(line));
  if (report.at(-1)?.event !== "ready" || task.keepsDirectory) return;
  directory.close();
  tell({ kind: "settled" });
});
const said = text(stderr as Readable);
const [status, signal] = await once(child, "close");
if (!task.lingers) await bridges.drain();
tell({
  kind: "ended",
  ...{ status, signal, stderr: await said, messages, statistics: bridges.statistics() },
  reports: report,
});
if (task.lingers) await once(process, "message");
bridges.close();
directory.close();
process.disconnect?.();
