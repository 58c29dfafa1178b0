/**
 * The places that every plan knows without being told.
 *
 * Runs:     host. Pure: lists alone.
 * Source:   docs/mounts.md
 */

/** Readable when the policy denies reading by default. */
export const readableByDefault = [
  "/bin",
  "/sbin",
  "/usr",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/etc",
  "/sys",
  "/opt",
  "/nix",
  "/gnu/store",
  "/snap",
] as const;

/** The same in HOME: version managers, without the files where they keep passwords. Not with strictDenyRead. */
export const readableInHome = [
  ".asdf",
  ".bun/bin",
  ".cargo/bin",
  ".cargo/env",
  ".deno/bin",
  ".fnm",
  ".goenv",
  ".jenv",
  ".linuxbrew",
  ".local/bin",
  ".local/share/fnm",
  ".local/share/mise",
  ".local/share/pnpm",
  ".local/share/uv",
  ".local/state/nix",
  ".nix-profile",
  ".nodenv",
  ".nvm",
  ".proto",
  ".pyenv",
  ".rbenv",
  ".rustup",
  ".rvm",
  ".sdkman",
  ".volta",
  "go/bin",
] as const;

/** Files of /etc that are symlinks out of it on some hosts: what they lead to is readable, too. */
export const filesBehindLinks = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/localtime",
  "/etc/nsswitch.conf",
  "/etc/ssl/certs",
  "/etc/ssl/cert.pem",
  "/etc/pki/tls/certs",
] as const;

/** Where sockets of services are: directories of which the program sees only what `neededInRun` names. */
export const socketDirectories = [
  "/run",
  "/var/run",
  "/nix/var/nix/daemon-socket",
  "/tmp/.ICE-unix",
  "/tmp/.X11-unix",
  "/mnt/wslg",
  "/mnt/wsl/docker-desktop/shared-sockets",
] as const;

/** The same in a /tmp of the host that a policy shows: what is told to them runs outside of the sandbox. */
export const socketDirectoriesOf = (uid: number) => [`/tmp/tmux-${uid}`, `/tmp/emacs${uid}`] as const;

/** Without sockets, and programs miss them: NixOS's links into the store, removable media. */
export const neededInRun = [
  "/run/current-system",
  "/run/booted-system",
  "/run/opengl-driver",
  "/run/opengl-driver-32",
  "/run/media",
] as const;

export const socketFiles = [
  "/var/lib/incus/unix.socket",
  "/var/lib/lxd/unix.socket",
  "/var/lib/mysql/mysql.sock",
  "/var/snap/lxd/common/lxd/unix.socket",
] as const;

export const socketFilesInHome = [
  ".1password/agent.sock",
  ".bitwarden-ssh-agent.sock",
  ".colima/default/docker.sock",
  ".docker/desktop/docker.sock",
  ".docker/run/docker.sock",
  ".gnupg/S.dirmngr",
  ".gnupg/S.gpg-agent",
  ".gnupg/S.gpg-agent.browser",
  ".gnupg/S.gpg-agent.extra",
  ".gnupg/S.gpg-agent.ssh",
  ".gnupg/S.keyboxd",
  ".gnupg/S.scdaemon",
  ".rd/docker.sock",
] as const;

/** Variables that hold the path of a socket, alone or in one of these shapes: unix:PATH, unix:path=PATH, unix://PATH, PATH,... PATH:... */
export const socketVariables = [
  "CONTAINER_HOST",
  "DBUS_SESSION_BUS_ADDRESS",
  "DOCKER_HOST",
  "GPG_AGENT_INFO",
  "I3SOCK",
  "PULSE_SERVER",
  "SSH_AUTH_SOCK",
  "SWAYSOCK",
  "TMUX",
  "WAYLAND_DISPLAY",
  "WSL_INTEROP",
] as const;

/** What bwrap's own /dev holds already. */
export const standardDevices: ReadonlySet<string> = new Set(
  "console core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero".split(" "),
);

/** Files that other programs of the user run or obey: what writes them leaves the sandbox. */
export const dangerousFiles = [
  ".gitconfig",
  ".gitmodules",
  ".bashrc",
  ".bash_profile",
  ".zshrc",
  ".zprofile",
  ".profile",
  ".ripgreprc",
  ".mcp.json",
  "fence.json", // settings of the next run
  "fence.jsonc",
] as const;

export const dangerousDirectories = [".vscode", ".idea"] as const;

/** Writable without being named, where it exists: npm fails without. */
export const writableInHome = [".npm/_logs"] as const;
