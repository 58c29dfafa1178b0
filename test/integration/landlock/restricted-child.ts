/**
 * Restricts itself with the ruleset of its first argument, then tries each action of its second one.
 *
 * Runs:     as a child of the Landlock tests, because a restriction cannot be undone.
 * Promises: prints one JSON array with "ok" or the errno's name for each action.
 */
import { spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import * as fs from "node:fs";
import { connect, createServer } from "node:net";
import { isatty } from "node:tty";
import { getSystemErrorName } from "node:util";
import addon from "landlock-napi/addon";
import type { Ruleset } from "../../../src/landlock/ruleset.ts";

/** What the kernel is told; a test may make one by hand. */
type Masks = Pick<Ruleset, "handledFs" | "handledNet" | "scoped">;
type Audit = Pick<Ruleset, "quietFs" | "quietNet" | "quietScoped" | "restrictFlags">;
type Rule = Pick<Ruleset["paths"][number], "path" | "directoryAccess" | "fileAccess"> & { readonly quiet?: boolean };
type Port = Pick<Ruleset["ports"][number], "port" | "access"> & { readonly quiet?: boolean };

export interface Restriction extends Masks, Partial<Audit> {
  readonly paths: readonly Rule[];
  readonly ports: readonly Port[];
}

export type Try = readonly [action: keyof typeof actions, ...operands: (string | number)[]];

const directory = 4;

const actions = {
  read: (path) => fs.readFileSync(text(path)),
  list: (path) => fs.readdirSync(text(path)),
  write: (path) => fs.writeFileSync(text(path), "changed", { flag: "r+" }),
  truncate: (path) => fs.truncateSync(text(path)),
  create: (path) => fs.writeFileSync(text(path), "", { flag: "wx" }),
  makeDirectory: (path) => fs.mkdirSync(text(path)),
  remove: (path) => fs.unlinkSync(text(path)),
  rename: (from, to) => fs.renameSync(text(from), text(to)),
  link: (from, to) => fs.linkSync(text(from), text(to)),
  execute: (path) => {
    const { error } = spawnSync(text(path));
    if (error !== undefined) throw error;
  },
  terminalIoctl: (path) => {
    if (!isatty(fs.openSync(text(path), "r")))
      throw Object.assign(new Error("the ioctl failed"), { code: "not a tty" });
  },
  signal: (pid) => process.kill(Number(pid), "SIGURG"),
  bindTcp: (port) => settled(createServer().listen(Number(port), "127.0.0.1"), "listening"),
  connectTcp: (port) => settled(connect(Number(port), "127.0.0.1"), "connect"),
  bindUdp: (port) => settled(datagramSocket().bind(Number(port), "127.0.0.1"), "listening"),
  sendUdp: (port) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const done = (error: Error | null) => (error === null ? resolve() : reject(error));
    datagramSocket().send("x", Number(port), "127.0.0.1", done);
    return promise;
  },
  connectUnix: (path) => settled(connect(text(path)), "connect"),
} satisfies Record<string, (...operands: (string | number | undefined)[]) => unknown>;

function datagramSocket(): Socket {
  return createSocket("udp4");
}

function text(operand: string | number | undefined): string {
  return String(operand);
}

function settled(emitter: NodeJS.EventEmitter, event: string): Promise<void> {
  return new Promise((resolve, reject) => emitter.once(event, resolve).once("error", reject));
}

function restrict(to: Restriction): void {
  const { handledFs, handledNet, scoped, quietFs, quietNet, quietScoped } = to;
  const masks = [handledFs, handledNet, scoped, quietFs, quietNet, quietScoped] as const;
  const ruleset = checked("create", addon.landlockCreateRuleset(...masks));
  for (const { path, directoryAccess, fileAccess, quiet } of to.paths) {
    const at = checked(`open ${path}`, addon.openPath(Buffer.from(path)));
    const access = addon.fileType(at) === directory ? directoryAccess : fileAccess;
    checked(`rule ${path}`, addon.landlockAddPathRule(ruleset, at, access, quiet === true ? 1 : 0));
    checked("close", addon.closeDescriptor(at));
  }
  for (const { port, access, quiet } of to.ports) {
    checked("port", addon.landlockAddPortRule(ruleset, port, access, quiet === true ? 1 : 0));
  }
  checked("no_new_privs", addon.setNoNewPrivs());
  checked("restrict", addon.landlockRestrictSelf(ruleset, to.restrictFlags ?? 0));
  checked("close", addon.closeDescriptor(ruleset));
}

function checked(what: string, result: number): number {
  if (result < 0) throw new Error(`${what}: ${getSystemErrorName(result)}`);
  return result;
}

async function outcome([action, ...operands]: Try): Promise<string> {
  try {
    const run: (...operands: (string | number | undefined)[]) => unknown = actions[action];
    await run(...operands);
    return "ok";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

if (import.meta.main) {
  const [restriction, tries] = process.argv.slice(2).map((json) => JSON.parse(json)) as [Restriction | null, Try[]];
  if (restriction !== null) restrict(restriction);
  const outcomes: string[] = [];
  for (const action of tries) outcomes.push(await outcome(action));
  process.stdout.write(JSON.stringify(outcomes), () => process.exit());
}
