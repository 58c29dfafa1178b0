/**
 * The host as the planner of mounts sees it.
 *
 * Runs:     host.
 * Promises: reads what it is asked for and nothing else; asks the kernel once what is at a path, however often it is asked;
 *           never says that nothing is there when there was no room to look: what is not seen is not protected.
 * Source:   stat(2), proc_pid_mountinfo(5)
 */
import { closeSync, constants, openSync, readFileSync, readSync } from "node:fs";
import type { HostEntry, HostMount, HostView, ListedEntry } from "../base/host.ts";
import type { Addon } from "./addon.ts";
import { nodeError, systemError } from "./errno.ts";

const step = "plan-mounts";
/** ENOMEM, ENFILE, EMFILE: they say nothing about a path. */
const shortages: readonly (number | undefined)[] = [-12, -23, -24];
const longestText = 4096;
/** PATH_MAX, which no target is longer than. */
const longestTarget = 4096;
/** inode(7). */
const typeBits = constants.S_IFMT;
const typeShift = 12;
/** Of most directories. */
const usualListBytes = 1 << 15;
const types: ReadonlyMap<number, HostEntry["type"]> = new Map([
  [constants.S_IFLNK, "symlink"],
  [constants.S_IFDIR, "directory"],
  [constants.S_IFSOCK, "socket"],
  [constants.S_IFIFO, "fifo"],
  [constants.S_IFCHR, "device"],
  [constants.S_IFBLK, "device"],
]);

/** A fresh one for each plan: what it has seen it does not look at again. Its answers throw FENCE_MOUNTS. */
export function hostView(addon: PathCalls): HostView {
  const facts = new BigUint64Array(4);
  const target = Buffer.alloc(longestTarget);
  let mounts: readonly HostMount[] | undefined;
  return {
    entry: cached((path) => entryAt(addon, path, { facts, target })),
    present: (directory, names) => presentIn(addon, directory, names),
    list: cached((directory) => listOf(addon, directory)),
    text: cached(textOf),
    get mounts() {
      mounts ??= parseMounts(mountsText());
      return mounts;
    },
  };
}

/** node:fs has them, too, and takes several times as long. */
type PathCalls = Pick<Addon, "pathFacts" | "linkTarget" | "presentIn" | "listDirectory">;

function mountsText(): string {
  const path = "/proc/self/mountinfo";
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw nodeError("FENCE_MOUNTS", `cannot read ${path}`, error, { step, path });
  }
}

/** The lines of proc_pid_mountinfo(5). */
export function parseMounts(text: string): readonly HostMount[] {
  const mounts: HostMount[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const fields = line.split(" ");
    const { 2: device = "", 3: root = "/", 4: point = "/" } = fields;
    const type = fields[fields.indexOf("-", 5) + 1] ?? "";
    mounts.push({ device, root: unescaped(root), point: unescaped(point), type });
  }
  return mounts;
}

/** Space, tab, newline and backslash are written as octal numbers. */
function unescaped(field: string): string {
  if (!field.includes("\\")) return field;
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function cached<Answer>(ask: (path: string) => Answer): (path: string) => Answer {
  const answers = new Map<string, Answer>();
  return (path) => {
    const before = answers.get(path);
    if (before !== undefined) return before;
    const answer = ask(path);
    answers.set(path, answer);
    return answer;
  };
}

/** What the addon fills, made once for all questions. */
interface Answers {
  readonly facts: BigUint64Array;
  readonly target: Buffer;
}

/** What cannot be reached is not there for the program either: it has no more rights than whoever starts fence. */
function entryAt(addon: PathCalls, path: string, { facts, target }: Answers): HostEntry | null {
  const mode = looked("lstat", path, addon.pathFacts(path, facts));
  if (mode < 0) return null;
  const type = typeOf(mode);
  if (type === "symlink") return linkAt(addon, path, target);
  const { 0: uid = 0n, 1: links = 0n, 2: device = 0n, 3: inode = 0n } = facts;
  return { type, uid: Number(uid), mode: mode & ~typeBits, device, inode, links: Number(links) };
}

function linkAt(addon: PathCalls, path: string, target: Buffer): HostEntry | null {
  const length = looked("readlink", path, addon.linkTarget(path, target));
  return length < 0 ? null : { type: "symlink", target: target.toString("utf8", 0, length) };
}

function presentIn(addon: PathCalls, directory: string, names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  const found = new Uint8Array(names.length);
  const bytes = Buffer.from(`${names.join("\0")}\0`);
  const count = looked("open", directory, addon.presentIn(directory, bytes, found));
  return count > 0 ? names.filter((_, index) => found[index] === 1) : [];
}

function listOf(addon: PathCalls, directory: string): readonly ListedEntry[] | null {
  for (let entries = Buffer.alloc(usualListBytes); ; ) {
    const length = looked("open", directory, addon.listDirectory(directory, entries));
    if (length < 0) return null;
    if (length <= entries.length) return listed(entries.toString("utf8", 0, length));
    entries = Buffer.alloc(2 * length); // it may be growing
  }
}

/** The letter before each name is its type, see listDirectory(). */
function listed(entries: string): readonly ListedEntry[] {
  return entries
    .split("\0")
    .slice(0, -1)
    .map((entry) => ({ name: entry.slice(1), type: typeOf((entry.charCodeAt(0) - "@".charCodeAt(0)) << typeShift) }))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function textOf(file: string): string | null {
  return orNull(file, () => {
    const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const bytes = Buffer.alloc(longestText + 1);
      const length = readSync(descriptor, bytes);
      return length > longestText ? null : bytes.toString("utf8", 0, length);
    } finally {
      closeSync(descriptor);
    }
  });
}

function typeOf(mode: number): HostEntry["type"] {
  return types.get(mode & typeBits) ?? "file";
}

/** As with entryAt(). */
function orNull<Answer>(path: string, ask: () => Answer): Answer | null {
  try {
    return ask();
  } catch (error) {
    const { syscall, errno } = error as NodeJS.ErrnoException;
    if (typeof syscall !== "string") throw error;
    if (shortages.includes(errno)) throw nodeError("FENCE_MOUNTS", `cannot look at ${path}`, error, { step, path });
    return null;
  }
}

/** The result of a call that says what is at `path`, or why that cannot be reached. */
function looked(call: string, path: string, result: number): number {
  if (!shortages.includes(result)) return result;
  throw systemError("FENCE_MOUNTS", `cannot look at ${path}`, call, result, { step, path });
}
