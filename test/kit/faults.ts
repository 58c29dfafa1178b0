/**
 * Runs fence in a sandbox of its own where one system call of one of its processes fails, or kills that process.
 *
 * Runs:     in the tests of faults.
 * Promises: the list of system calls is what a run without a fault makes, never written by hand; a run ends when every
 *           process in its sandbox has, or is reported as hanging.
 * Source:   test/e2e/probe/inject.c
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { basename, dirname } from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { inject } from "./probe.ts";
import { host, type Json } from "./sandbox.ts";

/** As inject.c names fence's processes. */
export type Role = (typeof roles)[number];

const roles = [
  "p0",
  "detach",
  "setup",
  "setup-node",
  "setup-script",
  "keeper",
  "child",
  "rehearsal",
  "bridges",
  "bridges-node",
  "bridges-script",
  "bwrap",
  "in-bwrap",
  "in-p0",
  "in-detach",
  "in-setup",
  "in-setup-node",
  "in-setup-script",
  "in-keeper",
  "in-child",
  "in-rehearsal",
] as const;

/** One system call of a run. */
export interface Site {
  readonly role: Role;
  readonly call: string;
  /** Among the calls of that name that the process makes, from 1. */
  readonly occurrence: number;
  /** The first two, as a tracer sees them. */
  readonly arguments: readonly [number, number];
}

export type Fault =
  | { readonly kind: "none" }
  | { readonly kind: "fail"; readonly site: Site; readonly errno: string }
  | { readonly kind: "kill"; readonly site: Site }
  | { readonly kind: "kill-at"; readonly microseconds: number; readonly role: Role };

export interface FaultOutcome {
  /** The fault happened. */
  readonly injected: boolean;
  /** execve(2) of the program succeeded. */
  readonly started: boolean;
  readonly exit: number | null;
  readonly signal: number | null;
  /** Of the program as it starts, from /proc/PID/status; -1: it did not. */
  readonly seccomp: number;
  readonly noNewPrivs: number;
  /** Not every process has ended by itself; `left` are those. */
  readonly hangs: boolean;
  readonly left: readonly string[];
  /** The bridge's Unix socket is still there. */
  readonly file: boolean;
  /** Of fence run: what there is in the directory that it may write. */
  readonly paths: readonly string[];
  readonly stdout: string;
  readonly stderr: string;
  /** From the status descriptor. */
  readonly events: readonly Json[];
  /** What each process did; empty unless nothing was to fail. */
  readonly sites: readonly Site[];
}

/** Where the bridge of the sweep listens. */
export const socketFile = "/w/l";
/** The program can read this only if Landlock was left out. */
export const forbidden = "/fence";

const place =
  `bwrap --unshare-all --die-with-parent --as-pid-1 --ro-bind ${inject} /inject --ro-bind ${host.fence} /fence ` +
  `--ro-bind ${host.probe} /probe --proc /proc --tmpfs /w --remount-ro / --`;

/** What is started. */
export interface Scenario {
  readonly options: readonly string[];
  /** What descriptor 3 holds, for `--plan-fd 3`; null: it is closed. */
  readonly plan: Json;
  /** What the probe does. */
  readonly action: readonly string[];
}

/** The probe tries to read what it may not. */
export const forbiddenRead = ["open-read", forbidden];

export async function runWithFault({ options, plan, action }: Scenario, fault: Fault): Promise<FaultOutcome> {
  const program = ["/fence", "bootstrap", "--status-fd", "4", ...options, "--", "/probe", ...action];
  return outcomeOf([...place.split(" "), "/inject", "5", socketFile, ...faultWords(fault), "--", ...program], plan);
}

/** What the program of `fence run` may not read, and where it and fence write. */
export const secret = "/mnt/secret";
const ground = [
  "mount -t tmpfs tmpfs /mnt",
  "mkdir -m 700 /mnt/home /mnt/run",
  `echo secret > ${secret}`,
  "cd /mnt/home",
  'HOME=/mnt/home XDG_RUNTIME_DIR=/mnt/run exec "$@"',
].join(" && ");

/** Which processes set the sandbox up, docs/launched.md. */
export type Way = "launched" | "standalone";
const wayOptions = {
  launched: ["--local-port", "9999", "--publish", "127.0.0.1:0:8080"],
  standalone: ["--no-fast-path"],
};

/** As `runWithFault()`, of `fence run`: the first names of roles are of the host's processes, those with `in-` of the sandbox's. */
export async function launchWithFault(way: Way, fault: Fault): Promise<FaultOutcome> {
  const options = ["--status-fd", "4", "--allow-read", host.probe, "--deny-read", secret, ...wayOptions[way]];
  const program = [host.fence, "run", ...options, "--", basename(host.probe), "open-read", secret];
  const space = [
    "unshare",
    "--mount",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--",
    "sh",
    "-c",
    ground,
    "sh",
  ];
  const path = `${dirname(host.probe)}:${process.env["PATH"]}`;
  return outcomeOf([...space, inject, "5", "/mnt", ...faultWords(fault), "--", ...program], null, path);
}

async function outcomeOf(
  [file = "", ...args]: readonly string[],
  plan: Json,
  path = process.env["PATH"],
): Promise<FaultOutcome> {
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe", plan === null ? "ignore" : "pipe", "pipe", "pipe"],
    env: { PATH: path },
  });
  const input = child.stdio[3] as Writable | null;
  input?.on("error", () => {}); // whoever is killed does not read it
  input?.end(JSON.stringify(plan));
  const streams = [1, 2, 4, 5].map((fd) => text(child.stdio[fd as 1] as Readable));
  await once(child, "close");
  const [stdout = "", stderr = "", events = "", report = ""] = await Promise.all(streams);
  const lines = report.trimEnd().split("\n");
  const last = lines.pop();
  if (last === undefined || !last.startsWith("{")) throw new Error(`inject failed: ${stderr}`);
  return { ...JSON.parse(last), stdout, stderr, events: parseLines(events), sites: lines.map(parseSite) };
}

function faultWords(fault: Fault): readonly string[] {
  switch (fault.kind) {
    case "none":
      return ["trace"];
    case "fail":
      return ["fail", ...siteWords(fault.site), String(errnoNumber(fault.errno))];
    case "kill":
      return ["kill", ...siteWords(fault.site)];
    case "kill-at":
      return ["kill-at", String(fault.microseconds), fault.role];
  }
}

function siteWords({ role, call, occurrence }: Site): readonly string[] {
  const number = callNumbers().get(call);
  if (number === undefined) throw new Error(`no system call is called ${call}`);
  return [role, String(number), String(occurrence)];
}

function errnoNumber(name: string): number {
  const number: number | undefined = constants.errno[name as "EPERM"];
  if (number === undefined) throw new Error(`no errno is called ${name}`);
  return number;
}

/** A reader that was killed while it wrote leaves half a line. */
function parseLines(lines: string): readonly Json[] {
  return lines
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

function parseSite(line: string): Site {
  const [role = "", number = "", occurrence = "", first = "", second = ""] = line.split(" ");
  const call = [...callNumbers()].find(([, known]) => known === Number(number))?.[0] ?? `syscall-${number}`;
  return {
    role: role as Role,
    call,
    occurrence: Number(occurrence),
    arguments: [Number.parseInt(first, 16), Number.parseInt(second, 16)],
  };
}

let numbers: ReadonlyMap<string, number> | undefined;

/** As the kernel's header has them for this machine. */
function callNumbers(): ReadonlyMap<string, number> {
  if (numbers !== undefined) return numbers;
  const done = spawnSync("cc", ["-E", "-dM", "-"], { input: "#include <asm/unistd.h>\n", encoding: "utf8" });
  const found = done.stdout.matchAll(/^#define __NR_(\w+) (\d+)$/gm);
  numbers = new Map(Array.from(found, ([, name = "", number]) => [name, Number(number)]));
  return numbers;
}
