/**
 * An addon whose calls are not made: each gives what it would give, or fails when a test wants it to, and every descriptor is
 * accounted for.
 *
 * Runs:     in unit tests.
 * Promises: numbers of descriptors are never used again, so that one that is closed twice is found.
 */
import type { Addon } from "../../src/sys/addon.ts";

export interface FailingAddon {
  readonly addon: Addon;
  /** Names of the calls that were made, in their order. */
  readonly calls: readonly string[];
  /** Descriptors that are open. */
  readonly open: ReadonlySet<number>;
  /** What is watched, by its watch. */
  readonly watches: ReadonlyMap<number, () => void>;
}

const opensOne = ["sealedFile", "duplicateAboveStdio", "epollCreate", "landlockCreateRuleset", "socket"];
const opensTwo = ["pipe", "messagePair"];
/** struct sockaddr_in of 127.0.0.1:8080. */
const loopback = Uint8Array.of(2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
const plain: Readonly<Record<string, number>> = {
  setPipeSize: 4096,
  writePipe: 4096,
  landlockAbi: 7,
  landlockErrata: 0,
  loopbackIsUp: 1,
};

/** `fails` says which call fails, by its place among `calls`; `doors` are made instead. */
export function failingAddon(
  fails: { readonly at: number; readonly result: number } | null = null,
  doors: Partial<Addon> = {},
): FailingAddon {
  const calls: string[] = [];
  const open = new Set<number>();
  const watches = new Map<number, () => void>();
  let last = 100;
  const opened = (): number => {
    open.add(++last);
    return last;
  };
  const close = (fd: number): number => {
    if (!open.delete(fd)) throw new Error(`descriptor ${fd} is closed, and was not open`);
    return 0;
  };
  const unwatch = (watch: number): number => {
    if (!watches.delete(watch)) throw new Error(`${watch} is no watch`);
    return 0;
  };
  const make = (name: string, values: readonly unknown[]): number => {
    const [first] = values;
    if (opensOne.includes(name)) return opened();
    if (opensTwo.includes(name) && first instanceof Int32Array) {
      first.set([opened(), opened()]);
      return 0;
    }
    if (name === "watch") {
      watches.set(++last, values[1] as () => void);
      return last;
    }
    if (name === "socketName") {
      (values[1] as Uint8Array).set(loopback);
      return loopback.length;
    }
    return plain[name] ?? 0;
  };
  const call = (name: string, values: readonly unknown[]): number => {
    if (name === "closeDescriptor") return close(values[0] as number);
    if (name === "unwatch") return unwatch(values[0] as number);
    calls.push(name);
    if (fails !== null && calls.length - 1 === fails.at) return fails.result;
    const door = (doors as Record<string, unknown>)[name];
    return typeof door === "function" ? door(...values) : make(name, values);
  };
  const addon = new Proxy({} as Addon, {
    get:
      (_, name) =>
      (...values: readonly unknown[]) =>
        call(String(name), values),
  });
  return { addon, calls, open, watches };
}
