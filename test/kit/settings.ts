/**
 * Hosts with settings files that exist in tests alone.
 *
 * Runs:     in tests.
 */
import type { FoundFile, SettingsDoors } from "../../src/config/files.ts";
import { type LoadedPolicy, loadPolicy } from "../../src/config/load.ts";
import { noOverrides, type PolicyOverrides } from "../../src/config/overrides.ts";

export const uid = 1000;

/** A file's text, or what else is at a path. */
export type Tree = Readonly<Record<string, string | object | FoundFile>>;

export function doorsOf(tree: Tree): SettingsDoors & { readonly asked: readonly string[] } {
  const asked: string[] = [];
  return {
    uid,
    asked,
    read: (path) => {
      asked.push(path);
      const found = tree[path];
      if (found === undefined) return { kind: "absent" };
      if (typeof found === "object" && "kind" in found) return found as FoundFile;
      const text = typeof found === "string" ? found : JSON.stringify(found);
      return { kind: "file", bytes: Buffer.from(text), owners: [uid] };
    },
  };
}

export interface Launch {
  readonly settings?: string;
  readonly template?: string;
  readonly overrides?: Partial<PolicyOverrides>;
  readonly directory?: string;
  readonly home?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** The policy in /work/project, for a user whose home is /home/user. */
export function load(tree: Tree, launch: Launch = {}): LoadedPolicy {
  return loadPolicy(doorsOf(tree), {
    settings: null,
    template: null,
    directory: "/work/project",
    home: "/home/user",
    environment: {},
    ...launch,
    overrides: { ...noOverrides, ...launch.overrides },
  });
}
