/**
 * Hosts that planners of mounts have failed on.
 *
 * Runs:     in tests.
 */
import type { Tree } from "./hosts.ts";

const common: Tree = {
  "/dev": "/",
  "/proc/version": "",
  "/sys/class": "/",
  "/tmp": "/",
  "/opt/fence/fence": "",
  "/home/u/work/main.c": "",
};

/** Debian 12: /bin is a symlink, resolv.conf leads into /run. */
export const merged: Tree = {
  ...common,
  "/bin": "-> usr/bin",
  "/sbin": "-> usr/sbin",
  "/lib": "-> usr/lib",
  "/lib64": "-> usr/lib64",
  "/usr/bin/sh": "-> dash",
  "/usr/bin/dash": "",
  "/usr/bin/systemctl": "",
  "/usr/sbin/reboot": "-> /bin/systemctl",
  "/usr/sbin/chroot": "",
  "/usr/lib/x86_64-linux-gnu/libc.so.6": "",
  "/usr/lib64/ld-linux-x86-64.so.2": "-> ../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
  "/etc/passwd": "",
  "/etc/resolv.conf": "-> ../run/systemd/resolve/stub-resolv.conf",
  "/run/systemd/resolve/stub-resolv.conf": "",
  "/run/systemd/resolve/io.systemd.Resolve": "socket",
  "/run/docker.sock": "socket",
  "/run/user/1000/bus": "socket",
  "/var/run": "-> /run",
};

/** Debian 9 and others of its age. */
export const unmerged: Tree = {
  ...common,
  "/bin/sh": "",
  "/sbin/reboot": "",
  "/lib/libc.so.6": "",
  "/lib64/ld-linux-x86-64.so.2": "-> /lib/ld-2.24.so",
  "/usr/bin/env": "",
  "/etc/resolv.conf": "",
  "/var/run/docker.sock": "socket",
};

const store = "/nix/store/0a1-nixos-system";
export const nixos: Tree = {
  ...common,
  [`${store}/sw/bin/bash`]: "",
  [`${store}/sw/bin/reboot`]: "-> systemctl",
  [`${store}/sw/bin/systemctl`]: "",
  "/run/current-system": `-> ${store}`,
  "/run/opengl-driver": "-> /nix/store/1b2-mesa",
  "/nix/store/1b2-mesa/lib": "/",
  "/run/wrappers/bin/sudo": "",
  "/nix/var/nix/daemon-socket/socket": "socket",
  "/bin/sh": `-> ${store}/sw/bin/bash`,
  "/usr/bin/env": `-> ${store}/sw/bin/bash`,
  "/etc/static": "-> /nix/store/2c3-etc",
  "/etc/hosts": "-> /etc/static/hosts",
  "/etc/resolv.conf": "",
  "/nix/store/2c3-etc/hosts": "",
};

export const wsl: Tree = {
  ...merged,
  "/init": "",
  "/etc/resolv.conf": "-> /mnt/wsl/resolv.conf",
  "/mnt/wsl/resolv.conf": "",
  "/mnt/wsl/docker-desktop/shared-sockets/guest-services/docker.sock": "socket",
  "/mnt/wslg/PulseServer": "socket",
  "/mnt/c/Windows/System32/cmd.exe": "",
  "/run/WSL/8_interop": "socket",
};

/** Every program is busybox. */
export const alpine: Tree = {
  ...common,
  "/bin/busybox": "",
  "/bin/sh": "-> /bin/busybox",
  "/bin/ls": "-> /bin/busybox",
  "/sbin/reboot": "-> /bin/busybox",
  "/usr/sbin/chroot": "-> /bin/busybox",
  "/usr/bin/wget": "-> /bin/busybox",
  "/usr/bin/curl": "",
  "/etc/resolv.conf": "",
};
