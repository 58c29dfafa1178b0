/**
 * Container images without an image store: reads a Containerfile, makes the root file system that it describes, and
 * the OCI configuration that an engine would run it with.
 *
 * Runs:     in tests, as root.
 * Promises: an instruction that it does not know is an error, so that an example is never half done.
 * Source:   https://docs.docker.com/reference/dockerfile/
 */
import { spawnSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { busybox, putProgram } from "./examples.ts";
import { fence, type Json } from "./sandbox.ts";

export interface Image {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** Makes the files in an empty root. */
  readonly fill: (rootfs: string) => void;
}

/** What an engine is told beside the image; without it containers have no network, no capability, read-only files. */
export interface EngineOptions {
  /** In place of the image's CMD. */
  readonly cmd?: readonly string[];
  readonly entrypoint?: readonly string[];
  /** [of the host, in the container] */
  readonly volumes?: readonly (readonly [string, string])[];
  /** Paths that the runtime puts /dev/null over. */
  readonly masked?: readonly string[];
  /** [path, mount options] */
  readonly tmpfs?: readonly (readonly [string, readonly string[]])[];
  /** Without no_new_privs. */
  readonly mayGainPrivileges?: boolean;
}

/** How the names of a multicall program lead to it. */
export type Links = "hard" | "symbolic";

/** The files that a build context holds. */
const context: Readonly<Record<string, string>> = { fence, busybox };

/** The names of the busybox image are hard links, those of Alpine's symbolic ones. */
export function readContainerfile(text: string, links: Links = "hard"): Image {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const steps: ((rootfs: string) => void)[] = [];
  const image = {
    entrypoint: [] as readonly string[],
    cmd: [] as readonly string[],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
    user: { uid: 0, gid: 0 },
    fill: (rootfs: string) => {
      for (const step of steps) step(rootfs);
    },
  };
  for (const line of lines) {
    const [instruction = "", ...words] = line.split(" ");
    const [first = "", second = ""] = words;
    switch (instruction) {
      case "FROM":
        if (first !== "scratch") steps.push((rootfs) => baseImage(first, rootfs, links));
        break;
      case "COPY": {
        const source = context[first];
        if (source === undefined) throw new Error(`the build context has no ${first}`);
        steps.push((rootfs) => putProgram(source, join(rootfs, second)));
        break;
      }
      case "ENV":
        image.env.push(first);
        break;
      case "WORKDIR":
        image.cwd = first;
        steps.push((rootfs) => void mkdirSync(join(rootfs, first), { recursive: true }));
        break;
      case "USER": {
        const [uid, gid] = first.split(":").map(Number);
        image.user = { uid: uid ?? Number.NaN, gid: gid ?? Number.NaN };
        break;
      }
      case "ENTRYPOINT":
        image.entrypoint = JSON.parse(words.join(" "));
        break;
      case "CMD":
        image.cmd = JSON.parse(words.join(" "));
        break;
      default:
        throw new Error(`unknown instruction: ${line}`);
    }
  }
  return image;
}

/** One program under all its names. */
function baseImage(name: string, rootfs: string, links: Links): void {
  if (name !== "docker.io/library/busybox:stable") throw new Error(`unknown image: ${name}`);
  const bin = join(rootfs, "bin");
  putProgram(busybox, join(bin, "busybox"));
  const { status, stdout } = spawnSync(busybox, ["--list"], { encoding: "utf8" });
  if (status !== 0) throw new Error("busybox does not list its names");
  for (const applet of stdout
    .trim()
    .split("\n")
    .filter((applet) => applet !== "busybox")) {
    if (links === "hard") linkSync(join(bin, "busybox"), join(bin, applet));
    else symlinkSync("busybox", join(bin, applet));
  }
}

/** As `podman run --network none --read-only --cap-drop all --security-opt no-new-privileges`. */
export function imageConfig(image: Image, options: EngineOptions = {}): Json {
  const { entrypoint = image.entrypoint, cmd = image.cmd, volumes = [], masked = [], tmpfs = [] } = options;
  const { mayGainPrivileges = false } = options;
  return {
    ociVersion: "1.0.2",
    process: {
      user: image.user,
      args: [...entrypoint, ...cmd],
      env: image.env,
      cwd: image.cwd,
      noNewPrivileges: !mayGainPrivileges,
      capabilities: { bounding: [], effective: [], permitted: [] },
    },
    root: { path: "rootfs", readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755", "size=65536k"] },
      ...tmpfs.map(([destination, options]) => ({ destination, type: "tmpfs", source: "tmpfs", options })),
      ...volumes.map(([source, destination]) => ({ destination, type: "bind", source, options: ["bind", "ro"] })),
    ],
    linux: {
      namespaces: ["pid", "mount", "network", "ipc", "uts"].map((type) => ({ type })),
      maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", ...masked],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

export interface Pod {
  /** What the pod says in place of the image. */
  readonly image: Pick<Image, "entrypoint" | "cmd" | "user">;
  /** Its volumes lie in these folders of the host. */
  readonly options: (folders: readonly string[]) => EngineOptions;
}

/** A pod of one container, which must ask for all that imageConfig() gives. */
export function readPod(text: string): Pod {
  const [container, ...others] = JSON.parse(text).spec.containers;
  const { runAsUser, runAsGroup, ...asked } = container.securityContext;
  const restricted = {
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  };
  if (others.length > 0 || !isDeepStrictEqual(asked, restricted))
    throw new Error("not a pod of one restricted container");
  return {
    image: { entrypoint: container.command, cmd: container.args, user: { uid: runAsUser, gid: runAsGroup } },
    options: (folders) => ({
      volumes: container.volumeMounts.map(({ mountPath }: Json, i: number) => [folders[i], mountPath]),
    }),
  };
}
