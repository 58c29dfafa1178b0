/**
 * What `fence run` would give bubblewrap and the stub in the sandbox, for measurements without its launcher.
 *
 * Runs:     on the host (npm run bench).
 */
import { readFileSync } from "node:fs";
import { addonPrebuild, fence } from "../../build/paths.ts";
import { compileInside } from "../../src/inside/compile.ts";
import { parseJsonPlan } from "../../src/inside/json-plan.ts";
import { proxyListeners } from "../../src/inside/request.ts";
import { insidePlan } from "../../src/launcher/inside-plan.ts";
import { noBridges } from "../../src/launcher/network.ts";
import { encodeExecPlan } from "../../src/plan/exec-plan-bytes.ts";
import type { GrantedPath } from "../../src/plan/mounts.ts";
import { loadAddon } from "../../src/sys/addon.ts";
import { architecture } from "../../src/sys/architecture.ts";
import { outputOf } from "./children.ts";

interface DryRun {
  readonly bwrap: readonly string[];
  readonly landlock: { readonly rules: readonly GrantedPath[] };
}

const dryRun: DryRun = JSON.parse(outputOf(fence, ["run", "--dry-run", "--json", "--", "/bin/true"]));

/** bubblewrap's arguments for the mounts and namespaces of `fence run`, up to what it executes. */
export function bwrapArguments(): readonly string[] {
  const [, ...args] = dryRun.bwrap.slice(0, dryRun.bwrap.indexOf("--"));
  return withoutFiles(args);
}

/** The same with /bin/true, under bubblewrap's own PID 1, as whoever calls it by hand has it. */
export function bareArguments(): readonly string[] {
  return [...bwrapArguments().filter((word) => word !== "--as-pid-1"), "--", "/bin/true"];
}

/** The same with fence, which finds an exec plan: stopwatch.c knows where. */
export function launchedArguments(): readonly string[] {
  return [...bwrapArguments(), "--", "/tmp/fence/bin/fence", "launched", "FD"];
}

/** What the policy grants in them. */
export const grants: readonly GrantedPath[] = dryRun.landlock.rules;

/** Empty files come from descriptors, which nobody passes on here. */
function withoutFiles(args: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const isFile = args[at] === "--perms" && args[at + 2] === "--ro-bind-data";
    if (!isFile) words.push(args[at] ?? "");
    else {
      words.push("--ro-bind", "/dev/null", args[at + 4] ?? "");
      at += 4;
    }
  }
  return words;
}

/** The exec plan of `fence run` with two proxies and /bin/true, as the stub of this dist/fence takes it. */
export function launchedPlan(grants: readonly GrantedPath[]): Buffer {
  const landlockAbi = loadAddon(addonPrebuild).landlockAbi();
  const plan = insidePlan({
    argv: ["/bin/true"],
    environment: [["PATH", "/usr/bin:/bin"]],
    removed: [],
    directory: "/",
    grants,
    unixSockets: [],
    connectTcp: null,
    network: noBridges,
    hostNetwork: null,
    landlock: "required",
    landlockAbi,
    seccomp: "required",
    verify: false,
    inherited: { control: 3, standardError: null, closedStreams: [] },
    blockedSignals: [],
    ignoredSignals: [],
  });
  const request = parseJsonPlan(JSON.stringify(plan), { kind: "plan", argv: [] });
  const proxied = { ...request, hasHttpProxy: true, hasSocksProxy: true };
  const listeners = [proxyListeners.http, proxyListeners.socks];
  const compiled = compileInside(proxied, listeners, { landlockAbi, architecture: architecture() });
  return encodeExecPlan({ ...compiled.plan, buildId: packedBuildId() });
}

/** docs/packed-format.md. */
function packedBuildId(): string {
  const stub = readFileSync(fence).subarray(0, 1 << 20);
  const index = stub.indexOf("FENCE-PACK-IDX\x01\0", 0, "latin1");
  return stub.toString("hex", index + 16, index + 32);
}
