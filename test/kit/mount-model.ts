/**
 * What a program would see after bubblewrap has carried out a plan of mounts, on a host made up in memory.
 *
 * Runs:     in tests.
 * Promises: follows mount(2): a mount covers all that was mounted below it before; a mount point must exist, or is made
 *           where its directory can be written to.
 */
import { posix } from "node:path";
import type { HostView } from "../../src/base/host.ts";
import { isWithin } from "../../src/base/paths.ts";
import { partsOf } from "../../src/plan/mount-paths.ts";
import type { MountStep, PlannedMount } from "../../src/plan/mounts.ts";

export interface Seen {
  readonly type: string;
  /** The host's file that it is; null: the sandbox's own. */
  readonly source: string | null;
  readonly isWritable: boolean;
  /** The content of a decoy, if it is one. */
  readonly decoy: string | null;
}

export interface Replay {
  /** What bwrap would fail at, or would leave behind on the host. */
  readonly problems: readonly string[];
  /** Symlinks are followed, as by open(2). null: ENOENT. */
  readonly look: (path: string) => Seen | null;
}

interface Mounted {
  readonly to: string;
  readonly what: "bind" | "tmpfs" | "file" | "dev" | "proc";
  readonly from: string | null;
  readonly decoy: string | null;
  isWritable: boolean;
  /** Of a tmpfs: what was made in it. */
  readonly made: Map<string, { readonly type: string; readonly target?: string }>;
}

export function replay(mounts: readonly PlannedMount[], host: HostView, made: readonly string[] = []): Replay {
  const model = new Model(host, made);
  for (const { step } of mounts) model.carryOut(step);
  return { problems: model.problems, look: (path) => model.look(path) };
}

class Model {
  readonly problems: string[] = [];
  readonly #host: HostView;
  /** Directories that the launcher makes on the host. */
  readonly #madeOnHost: readonly string[];
  readonly #mounted: Mounted[] = [newMount("/", "tmpfs", { isWritable: true })];

  constructor(host: HostView, madeOnHost: readonly string[]) {
    this.#host = host;
    this.#madeOnHost = madeOnHost;
  }

  carryOut(step: MountStep): void {
    const { to } = step;
    switch (step.kind) {
      case "bind": {
        const type = this.#hostType(step.from);
        if (type === null || type === "symlink") this.problems.push(`${step.from} is ${type ?? "not there"}`);
        this.#mount(to, type ?? "file", { what: "bind", from: step.from, isWritable: step.access !== "read-only" });
        return;
      }
      case "empty-file":
      case "decoy":
        this.#mount(to, "file", { what: "file", decoy: step.kind === "decoy" ? step.decoy : null, isWritable: false });
        return;
      case "tmpfs":
        this.#mount(to, "directory", { what: "tmpfs", isWritable: true });
        return;
      case "dev":
      case "proc":
        this.#mount(to, "directory", { what: step.kind, isWritable: true });
        return;
      case "directory":
        this.#place(to, "directory");
        return;
      case "symlink":
        this.#makeAbove(to);
        if (this.#at(to) !== null) this.problems.push(`${to} is there already`);
        else this.#make(to, { type: "symlink", target: step.target });
        return;
      case "remount-read-only": {
        const mount = this.#topmost(to);
        if (mount.to === to) mount.isWritable = false;
        else this.problems.push(`${to} is no mount point`);
      }
    }
  }

  look(path: string): Seen | null {
    let place = "/";
    const left = partsOf(path).reverse();
    for (let links = 0; ; ) {
      const part = left.pop();
      if (part === undefined) break;
      const next = part === ".." ? posix.dirname(place) : posix.join(place, part);
      const found = this.#at(next);
      if (found === null) return null;
      if (found.type !== "symlink") {
        place = next;
        continue;
      }
      links += 1;
      if (links > 40) return null;
      const target = found.target ?? "";
      if (target.startsWith("/")) place = "/";
      left.push(...partsOf(target).reverse());
    }
    const seen = this.#at(place);
    const mount = this.#topmost(place);
    if (seen === null) return null;
    const source = mount.what === "bind" ? sourceOf(mount, place) : null;
    return { type: seen.type, source, isWritable: mount.isWritable, decoy: mount.decoy };
  }

  #mount(to: string, type: string, mount: Partial<Mounted> & Pick<Mounted, "what">): void {
    if (to !== "/") this.#place(to, type === "directory" ? "directory" : "file");
    this.#mounted.push(newMount(to, mount.what, mount));
  }

  /** The mount point. */
  #place(to: string, type: string): void {
    this.#makeAbove(to);
    const found = this.#at(to);
    if (found === null) this.#make(to, { type });
    else if (found.type === "symlink") this.problems.push(`${to} is a symlink`);
    else if ((found.type === "directory") !== (type === "directory")) this.problems.push(`${to} is a ${found.type}`);
  }

  #makeAbove(to: string): void {
    const above = posix.dirname(to);
    if (above === to) return;
    this.#makeAbove(above);
    const found = this.#at(above);
    if (found === null) this.#make(above, { type: "directory" });
    else if (found.type !== "directory") this.problems.push(`${above}, above ${to}, is a ${found.type}`);
  }

  #make(path: string, what: { type: string; target?: string }): void {
    const mount = this.#topmost(path);
    if (mount.what === "dev") mount.made.set(path, what);
    else if (mount.what !== "tmpfs") this.problems.push(`${path} would be made on the host`);
    else if (mount.isWritable) mount.made.set(path, what);
    else this.problems.push(`${path} cannot be made: read-only`);
  }

  #at(path: string): { readonly type: string; readonly target?: string } | null {
    const mount = this.#topmost(path);
    if (mount.what === "bind") return this.#hostEntry(sourceOf(mount, path));
    if (mount.to === path) return { type: mount.what === "file" ? "file" : "directory" };
    const made = mount.made.get(path);
    if (made !== undefined || mount.what !== "proc") return made ?? null;
    return this.#hostEntry(path);
  }

  #topmost(path: string): Mounted {
    const mount = this.#mounted.findLast(({ to }) => isWithin(path, to));
    if (mount === undefined) throw new Error("the model has no root");
    return mount;
  }

  #hostType(path: string): string | null {
    return this.#hostEntry(path)?.type ?? null;
  }

  #hostEntry(path: string): { readonly type: string; readonly target?: string } | null {
    return this.#host.entry(path) ?? (this.#madeOnHost.includes(path) ? { type: "directory" } : null);
  }
}

function newMount(to: string, what: Mounted["what"], mount: Partial<Mounted>): Mounted {
  return { to, what, from: null, decoy: null, isWritable: false, made: new Map(), ...mount };
}

function sourceOf(mount: Mounted, path: string): string {
  return posix.join(mount.from ?? "/", posix.relative(mount.to, path));
}
