/**
 * The door to a program's files beneath another root directory, such as a sandbox's, looked at from outside of it.
 *
 * Runs:     host.
 * Promises: nothing outside of the root is opened, followed or told of, whatever links are in it and whoever changes them
 *           meanwhile: each component is opened by itself, from the directory before it, without following it.
 * Source:   path_resolution(7), openat(2)
 */
import { accessSync, closeSync, constants, fstatSync, openSync, readlinkSync } from "node:fs";
import { orElse, type ProgramFiles, programFile, readHead } from "./program-files.ts";

/** Neither reads nor follows, open(2); Node has no name for it. */
const pathOnly = 0o10000000;
/** The kernel follows as many, path_resolution(7). */
const mostLinks = 40;

/** `root` is a path of this process's to the other root. Paths, and where links point, start there, relative ones too. */
export function rootedFiles(root: string): ProgramFiles {
  return {
    find: (path) => {
      try {
        return walk(root, path, "follow", ({ fd }) => programFile(fstatSync(fd)));
      } catch (error) {
        return isMissing(error) ? "missing" : "unknown";
      }
    },
    mayExecute: (path) =>
      orElse(false, () => walk(root, path, "follow", ({ fd }) => accessSync(opened(fd), constants.X_OK) === undefined)),
    linkTarget: (path) =>
      orElse(null, () =>
        walk(root, path, "do not follow", ({ name }, [parent]) =>
          parent === undefined ? null : readlinkSync(beneath(parent, name)),
        ),
      ),
    head: (path, sizeBytes) =>
      orElse(Buffer.alloc(0), () =>
        walk(root, path, "follow", ({ fd }) =>
          fstatSync(fd).isFile() ? readHead(opened(fd), sizeBytes) : Buffer.alloc(0),
        ),
      ),
    realPath: (path) =>
      orElse(null, () =>
        walk(
          root,
          path,
          "follow",
          (place, parents) =>
            `/${[place, ...parents]
              .map(({ name }) => name)
              .reverse()
              .slice(1)
              .join("/")}`,
        ),
      ),
  };
}

/** What is open, and its name in the directory before it; the root has none. */
interface Place {
  readonly fd: number;
  readonly name: string;
}

/** What `use` is given is open while it runs: the place, and those above it, the nearest first. Throws Node's errors. */
function walk<Value>(
  root: string,
  path: string,
  last: "follow" | "do not follow",
  use: (place: Place, parents: readonly Place[]) => Value,
): Value {
  if (path === "") throw stopped("ENOENT");
  const places: [Place, ...Place[]] = [{ fd: openSync(root, pathOnly | constants.O_DIRECTORY), name: "" }];
  try {
    const rest = path.split("/").reverse();
    let links = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      const [directory] = places;
      if (!fstatSync(directory.fd).isDirectory()) throw stopped("ENOTDIR");
      if (name === "" || name === ".") continue;
      if (name === "..") {
        leave(places);
        continue;
      }
      const fd = openSync(beneath(directory, name), pathOnly | constants.O_NOFOLLOW);
      places.unshift({ fd, name });
      if (!fstatSync(fd).isSymbolicLink() || (last === "do not follow" && rest.length === 0)) continue;
      if (++links > mostLinks) throw stopped("ELOOP");
      const target = readlinkSync(beneath(directory, name));
      leave(places);
      while (target.startsWith("/") && places.length > 1) leave(places);
      rest.push(...target.split("/").reverse());
    }
    const [place, ...parents] = places;
    return use(place, parents);
  } finally {
    for (const { fd } of places) closeSync(fd);
  }
}

/** Above the root is the root. */
function leave(places: [Place, ...Place[]]): void {
  const [left, parent, ...others] = places;
  if (parent === undefined) return;
  places.splice(0, places.length, parent, ...others);
  closeSync(left.fd);
}

/** Not followed by itself: what stands here is a directory of ours that is open, and a name in it. */
function beneath({ fd }: Place, name: string): string {
  return `${opened(fd)}/${name}`;
}

/** The open file itself, whatever its name leads to by now, proc_pid_fd(5). */
function opened(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

function stopped(code: "ENOENT" | "ENOTDIR" | "ELOOP"): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
}
