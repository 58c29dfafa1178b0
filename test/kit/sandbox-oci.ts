/**
 * OCI bundles that crun runs, and a container of a scratch image: a root that holds nothing but fence, the probe and
 * its helper.
 *
 * Runs:     in tests, as root.
 * Promises: nothing of the container is left; the host's cgroups are not touched.
 * Source:   https://github.com/opencontainers/runtime-spec
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, host, inside, type Json, type Place } from "./sandbox.ts";

export interface ContainerOptions {
  readonly env?: readonly string[];
  readonly capabilities?: readonly string[];
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Command lines of the host. */
export interface Bundle {
  readonly run: readonly string[];
  readonly kill: (signal: NodeJS.Signals) => readonly string[];
}

export const crunNeeds = ["root", "crun", "unshare"] as const;

export function container(options: ContainerOptions = {}): Place {
  return { ...inside, enter: (command) => bundle(config(command, options)).run };
}

/** `fill` makes what the configuration names beside the empty folder `rootfs`, in the bundle's folder. */
export function bundle(ociConfig: Json, fill: (at: string) => void = () => {}): Bundle {
  const at = folder();
  const id = randomUUID();
  mkdirSync(join(at, "rootfs"));
  fill(at);
  writeFileSync(join(at, "config.json"), JSON.stringify(ociConfig));
  const crun = ["crun", "--root", join(at, "state"), "--cgroup-manager=disabled"];
  return {
    run: withOneCgroupVersion([...crun, "run", "--bundle", at, id]),
    kill: (signal) => withOneCgroupVersion([...crun, "kill", id, signal]),
  };
}

/** crun refuses hosts that mount both versions of cgroups: in a mount namespace of its own it sees one. */
function withOneCgroupVersion(command: readonly string[]): readonly string[] {
  const oneVersion =
    "if mountpoint -q /sys/fs/cgroup; then umount -R /sys/fs/cgroup; fi && mount -t cgroup2 cgroup2 /sys/fs/cgroup";
  return ["unshare", "--mount", "sh", "-c", `${oneVersion} && exec "$@"`, "sh", ...command];
}

function config(args: readonly string[], { env = [], capabilities = [], user = { uid: 0, gid: 0 } }: ContainerOptions) {
  const names = Object.keys(inside) as (keyof typeof inside)[];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user,
      args,
      env,
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: "rootfs", readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "size=64k"] },
      ...names.map((name) => ({
        destination: inside[name],
        type: "bind",
        source: host[name],
        options: ["bind", "ro"],
      })),
    ],
    linux: { namespaces: ["pid", "mount", "network", "ipc", "uts"].map((type) => ({ type })) },
  };
}
