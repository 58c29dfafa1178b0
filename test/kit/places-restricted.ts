/**
 * Places where bubblewrap cannot do everything: made with unshare, setpriv, bubblewrap, fence and crun.
 *
 * Runs:     in tests.
 * Promises: nothing of the host is changed: what is mounted is so in a mount namespace of the place.
 */
import { dirname, resolve } from "node:path";
import { fence } from "./sandbox.ts";
import { bundle, type ContainerOptions } from "./sandbox-oci.ts";

/** The host's command line that runs `command` there. */
export type Enter = (command: readonly string[]) => readonly string[];

const root = resolve(import.meta.dirname, "../..");

/** An unprivileged user, started by root. */
export const asUser: Enter = (command) => [
  ...["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"],
  ...command,
];

/** In a mount namespace of its own, after a line of shell. */
export const afterShell =
  (line: string): Enter =>
  (command) => ["unshare", "--mount", "sh", "-c", `${line} && exec "$@"`, "sh", ...command];

/** As root of a user namespace of its own, after a line of shell. */
export const asMappedRoot =
  (line: string): Enter =>
  (command) => ["unshare", "--user", "--map-root-user", "sh", "-c", `${line} && exec "$@"`, "sh", ...command];

/** In bubblewrap, with the host inside. */
export const inBwrap =
  (...more: readonly string[]): Enter =>
  (command) => [
    ...["bwrap", "--unshare-user", "--unshare-pid", "--cap-drop", "ALL"],
    ...["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", ...more, "--", ...command],
  ];

/** Restricted by fence bootstrap. */
export const underFence =
  (...options: readonly string[]): Enter =>
  (command) => [fence, "bootstrap", ...options, "--", ...command];

export const both =
  (outer: Enter, inner: Enter): Enter =>
  (command) =>
    outer(inner(command));

/** A part of a seccomp filter, as the OCI runtime specification has it. */
export interface Denial {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly object[];
}

export const denying = (...names: readonly string[]): Denial => ({ names, action: "SCMP_ACT_ERRNO", errnoRet: 1 });
export const killing = (...names: readonly string[]): Denial => ({ names, action: "SCMP_ACT_KILL_PROCESS" });

/** CLONE_NEWUSER of clone(2). */
const cloneNewUser = 0x1000_0000;
const netlink = 16;

/** As Docker's default filter does. */
export const newUserNamespaces: Denial = {
  ...denying("clone"),
  args: [{ index: 0, value: cloneNewUser, valueTwo: cloneNewUser, op: "SCMP_CMP_MASKED_EQ" }],
};

export const netlinkSockets: Denial = {
  ...denying("socket"),
  args: [{ index: 0, value: netlink, op: "SCMP_CMP_EQ" }],
};

export interface SystemContainer extends ContainerOptions {
  readonly denied?: readonly Denial[];
  /** As Docker and Podman hide and write-protect parts of /proc. */
  readonly masked?: boolean;
}

/** What a container of Docker has. */
export const usualCapabilities = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"],
  ...["NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);

/** A container with the host's system directories, this repository and the Node that runs the tests. */
export function systemContainer(options: SystemContainer): Enter {
  const { denied = [], masked = false, capabilities = [], user = { uid: 0, gid: 0 } } = options;
  const places = ["/usr", "/lib", "/lib64", "/bin", "/etc", root, dirname(process.execPath), dirname(fence)];
  const binds = [...new Set(places)].map((path) => ({
    ...{ destination: path, type: "bind", source: path },
    options: ["rbind", "ro"],
  }));
  const ofRoot = user.uid === 0 ? { effective: capabilities, permitted: capabilities } : {};
  const hidden = {
    maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys"],
    readonlyPaths: ["/proc/sys", "/proc/bus", "/proc/irq"],
  };
  return (command) =>
    bundle({
      ociVersion: "1.0.2",
      process: {
        ...{ terminal: false, user, args: command, env: [`PATH=${process.env["PATH"]}`], cwd: "/" },
        capabilities: { bounding: capabilities, ...ofRoot },
        noNewPrivileges: denied.length > 0, // so that crun installs the filter after its own last steps
      },
      root: { path: "rootfs", readonly: true },
      mounts: [
        { destination: "/proc", type: "proc", source: "proc" },
        { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid"] },
        { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] },
        ...binds,
      ],
      linux: {
        namespaces: ["pid", "mount", "network", "ipc", "uts"].map((type) => ({ type })),
        ...(masked ? hidden : {}),
        ...(denied.length === 0 ? {} : { seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: denied } }),
      },
    }).run;
}
