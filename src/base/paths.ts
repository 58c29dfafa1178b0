/**
 * Two kinds of absolute path, so that the source and the destination of a mount cannot be swapped.
 *
 * Runs:     host. Pure.
 * Promises: both are absolute and normalised: no empty, `.` or `..` part, no NUL, no slash at the end.
 */
import { normalize } from "node:path/posix";
import { bug } from "./errors.ts";

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** As the host sees it. */
export type HostPath = Branded<string, "HostPath">;
/** As the program in the sandbox sees it. */
export type SandboxPath = Branded<string, "SandboxPath">;

/** `path` was read from the kernel or checked by a parser: anything else is our mistake. */
export function hostPath(path: string): HostPath {
  return normalised(path) as HostPath;
}

/** Like hostPath(). */
export function sandboxPath(path: string): SandboxPath {
  return normalised(path) as SandboxPath;
}

/** Whether `path` is `directory` or below it. */
export function isWithin(path: string, directory: string): boolean {
  if (directory === "/") return true;
  return path.startsWith(directory) && (path.length === directory.length || path[directory.length] === "/");
}

function normalised(path: string): string {
  if (!path.startsWith("/") || path.includes("\0")) throw bug("a path is not absolute, or holds a NUL");
  return plainPath(path);
}

/** An absolute path without empty, `.` and `..` parts and without a slash at the end; `..` goes up whatever is there. */
export function plainPath(path: string): string {
  if (path === "/" || isPlain(path)) return path;
  const plain = normalize(path);
  return plain.length > 1 && plain.endsWith("/") ? plain.slice(0, -1) : plain;
}

/** Of almost every path, and normalize() looks at each letter. */
function isPlain(path: string): boolean {
  const closed = `${path}/`;
  return !closed.includes("//") && !closed.includes("/./") && !closed.includes("/../");
}
