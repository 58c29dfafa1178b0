/**
 * The host as the planner of mounts sees it.
 *
 * Runs:     host.
 * Promises: reads what it is asked for and nothing else; asks the kernel once for each path, however often it is asked.
 * Source:   stat(2), proc_pid_mountinfo(5)
 */
import {
  closeSync,
  constants,
  type Dirent,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
} from "node:fs";
import type { HostEntry, HostMount, HostView, ListedEntry } from "../base/host.ts";

const longestText = 4096;

/** A fresh one for each plan: what it has seen it does not look at again. */
export function hostView(): HostView {
  return {
    entry: cached(entryAt),
    list: cached(listOf),
    text: cached(textOf),
    mounts: parseMounts(readFileSync("/proc/self/mountinfo", "utf8")),
  };
}

/** The lines of proc_pid_mountinfo(5). */
export function parseMounts(text: string): readonly HostMount[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [, , device = "", root = "/", point = "/", ...others] = line.split(" ");
      const type = others[others.indexOf("-") + 1] ?? "";
      return { device, root: unescaped(root), point: unescaped(point), type };
    });
}

/** Space, tab, newline and backslash are written as octal numbers. */
function unescaped(field: string): string {
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

function entryAt(path: string): HostEntry | null {
  return orNull(() => {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) return null;
    const type = typeOf(stats);
    if (type === "symlink") return { type, target: readlinkSync(path) };
    return {
      type,
      uid: Number(stats.uid),
      mode: Number(stats.mode) & 0o7777,
      device: stats.dev,
      inode: stats.ino,
      links: Number(stats.nlink),
    };
  });
}

function listOf(directory: string): readonly ListedEntry[] | null {
  return orNull(() =>
    readdirSync(directory, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, type: typeOf(entry) }))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
  );
}

function textOf(file: string): string | null {
  return orNull(() => {
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

type Typed = Pick<
  Dirent,
  "isSymbolicLink" | "isDirectory" | "isSocket" | "isFIFO" | "isCharacterDevice" | "isBlockDevice"
>;

function typeOf(entry: Typed): HostEntry["type"] {
  if (entry.isSymbolicLink()) return "symlink";
  if (entry.isDirectory()) return "directory";
  if (entry.isSocket()) return "socket";
  if (entry.isFIFO()) return "fifo";
  return entry.isCharacterDevice() || entry.isBlockDevice() ? "device" : "file";
}

/** What cannot be reached is not there for the program either: it has no more rights than whoever starts fence. */
function orNull<Answer>(ask: () => Answer): Answer | null {
  try {
    return ask();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall !== "string") throw error;
    return null;
  }
}
