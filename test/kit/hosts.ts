/**
 * Hosts made up for the planner of mounts: a tree of files in memory that answers as the disk would.
 *
 * Runs:     in tests.
 */
import { posix } from "node:path";
import type { HostEntry, HostFile, HostMount, HostView } from "../../src/base/host.ts";
import { hostPath } from "../../src/base/paths.ts";
import { followPath, parentOf } from "../../src/plan/mount-paths.ts";
import type { HostFacts } from "../../src/plan/mounts.ts";

/**
 * A path to what is there: `"/"` a directory, `-> target` a symlink, `socket`, `device`, `fifo`, `= path` another name of the
 * same file; anything else is a file with that text. Directories above are there too.
 */
export type Tree = Readonly<Record<string, string>>;

export interface CountedView extends HostView {
  /** How often the host was asked. */
  readonly asked: () => number;
}

export function hostOf(
  tree: Tree,
  options: { owners?: Readonly<Record<string, number>>; mounts?: readonly HostMount[] } = {},
): CountedView {
  const entries = new Map<string, HostEntry>();
  const texts = new Map<string, string>();
  let inode = 1n;
  const add = (path: string, entry: HostEntry) => {
    entries.set(path, entry);
    if (path !== "/" && !entries.has(posix.dirname(path)))
      add(posix.dirname(path), file("directory", posix.dirname(path)));
  };
  const file = (type: HostFile["type"], path: string): HostFile => {
    inode += 1n;
    return { type, uid: options.owners?.[path] ?? 0, mode: 0o755, device: 1n, inode, links: 1 };
  };
  add("/", file("directory", "/"));
  for (const [path, what] of Object.entries(tree)) {
    if (what.startsWith("-> ")) add(path, { type: "symlink", target: what.slice(3) });
    else if (what === "/") add(path, file("directory", path));
    else if (what === "socket" || what === "device" || what === "fifo") add(path, file(what, path));
    else if (what.startsWith("= ")) {
      const same = { ...(entries.get(what.slice(2)) as HostFile), links: 2 };
      entries.set(what.slice(2), same);
      add(path, same);
    } else {
      add(path, file("file", path));
      texts.set(path, what);
    }
  }
  let asked = 0;
  const count = <Answer>(answer: Answer) => {
    asked += 1;
    return answer;
  };
  const isThere = (path: string) => {
    const above = followPath(view, parentOf(path));
    return above?.entry?.type === "directory" && entries.has(posix.join(above.path, posix.basename(path)));
  };
  const view: CountedView = {
    asked: () => asked,
    entry: (path) => count(entries.get(path) ?? null),
    present: (directory, names) => names.filter((name) => isThere(posix.join(directory, name))),
    text: (path) => count(texts.get(path) ?? null),
    list: (directory) => {
      if (entries.get(directory)?.type !== "directory") return count(null);
      const below = [...entries].filter(([path]) => path !== "/" && posix.dirname(path) === directory);
      return count(
        below
          .map(([path, { type }]) => ({ name: posix.basename(path), type }))
          .sort((one, other) => (one.name < other.name ? -1 : 1)),
      );
    },
    mounts: options.mounts ?? [],
  };
  return view;
}

export function factsOf(facts: Partial<HostFacts> = {}): HostFacts {
  return {
    uid: 1000,
    gid: 1000,
    home: "/home/u",
    directory: "/home/u/work",
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    executable: hostPath("/usr/local/bin/fence"),
    bridgeSockets: [],
    ...facts,
  };
}
