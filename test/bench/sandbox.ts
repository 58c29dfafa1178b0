/**
 * The sandbox that is set up in all measurements: bubblewrap, two proxies, Landlock and seccomp.
 *
 * Runs:     on the host (npm run bench).
 */
import { fence } from "../../build/paths.ts";

export const proxyPort = 3128;

/** What bubblewrap is told but for the program. `paths` of the host's /tmp stay visible: sockets, programs. */
export function bwrapRoot(paths: readonly string[]): string[] {
  return [
    ...["--die-with-parent", "--unshare-net", "--unshare-pid", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev"],
    ...["--proc", "/proc", "--tmpfs", "/tmp", ...paths.flatMap((path) => ["--bind", path, path])],
  ];
}

export interface FenceInBwrap {
  readonly httpProxy: string;
  readonly socksProxy: string;
  readonly options?: readonly string[];
  readonly programs?: readonly string[];
}

/** bubblewrap's arguments up to the program. */
export function fenceInBwrap({ httpProxy, socksProxy, options = [], programs = [] }: FenceInBwrap): string[] {
  return [
    ...bwrapRoot([httpProxy, socksProxy, ...programs]),
    ...["--ro-bind", fence, "/tmp/fence/bin/fence", "--", "/tmp/fence/bin/fence", "bootstrap", ...options],
    ...["--http-proxy", `unix:${httpProxy}`, "--socks-proxy", `unix:${socksProxy}`, "--rox", "/", "--rw", "/tmp"],
  ];
}
