import { readlinkSync } from "node:fs";
import { homedir } from "node:os";
import { hostPath } from "../base/paths.ts";
import { mountArgs } from "../plan/bwrap-argv.ts";
import { planMounts } from "../plan/mount-plan.ts";
import { namespaceArgs, wantedNamespaces } from "../plan/namespaces.ts";
import type { Policy } from "../plan/policy.ts";
import type { Addon } from "../sys/addon.ts";
import type { Front } from "../sys/front.ts";
import { hostView } from "../sys/host-view.ts";
import type { Messages } from "../sys/messages.ts";
import { originalEnvironment } from "../sys/original-environment.ts";
import type { WaitingProcess } from "../sys/stub.ts";
import { insidePlan } from "./inside-plan.ts";
import { Sandbox } from "./sandbox.ts";

export interface LaunchContext {
  readonly addon: Addon;
  readonly waiting: WaitingProcess;
  readonly front: Front;
  readonly messages: Messages;
}

const policy: Policy = {
  allowPty: true,
  forceNewSession: false,
  network: {
    allowedDomains: [],
    deniedDomains: [],
    defaultAction: "deny",
    allowUnixSockets: [],
    allowAllUnixSockets: false,
    allowLocalBinding: false,
    allowLocalOutbound: false,
    allowLocalOutboundPorts: [],
    httpProxyPort: null,
    socksProxyPort: null,
    upstreamProxy: null,
  },
  filesystem: {
    defaultDenyRead: false,
    strictDenyRead: false,
    wslInterop: null,
    allowRead: [],
    allowExecute: [],
    denyRead: [],
    allowWrite: [process.cwd()],
    denyWrite: [],
    allowGitConfig: false,
    mask: [],
    decoys: [],
    restore: [],
  },
  devices: { mode: "auto", allow: [] },
  command: {
    deny: [],
    allow: [],
    useDefaults: false,
    acceptSharedBinaryCannotRuntimeDeny: [],
    runtimeExecPolicy: "path",
  },
  ssh: {
    allowedHosts: [],
    deniedHosts: [],
    allowedCommands: [],
    deniedCommands: [],
    allowAllCommands: false,
    inheritDeny: false,
  },
  isolation: {
    mount: "required",
    user: "required",
    pid: "required",
    network: "required",
    ipc: "required",
    uts: "required",
    cgroup: "required",
    "nested-user": "required",
    landlock: "required",
    seccomp: "required",
  },
};

export async function launch(
  { addon, waiting, front, messages }: LaunchContext,
  argv: readonly string[],
): Promise<void> {
  const facts = {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    home: homedir(),
    directory: process.cwd(),
    environment: process.env,
    executable: hostPath(readlinkSync("/proc/self/exe")),
    bridgeSockets: [],
  };
  const mounts = planMounts(policy, facts, hostView());
  const namespaces = wantedNamespaces(policy.isolation, false);
  const sandbox = new Sandbox(addon, waiting, 2);
  const args = [
    ...namespaceArgs(namespaces, false),
    ...mounts.mounts.flatMap(({ step }) => mountArgs(step, () => sandbox.giveBytes(Buffer.alloc(0), "x"))),
  ];
  if (process.env["FENCE_DEBUG"]) messages.write(args.join(" ") + "\n");
  const argsFd = sandbox.giveBytes(Buffer.from(args.map((a) => `${a}\0`).join("")), "arguments");
  const plan = insidePlan({
    argv,
    environment: originalEnvironment(),
    directory: facts.directory,
    grants: mounts.grants,
    unixSockets: [],
    connectTcp: null,
    network: { httpProxy: null, socksProxy: null, bridges: [] },
    landlock: "required",
    landlockAbi: addon.landlockAbi(),
    seccomp: "required",
    verify: false,
    inherited: sandbox.inherited,
    blockedSignals: sandbox.blockedSignals(),
  });
  sandbox.onStatus((line) => {
    if (process.env["FENCE_DEBUG"]) messages.write(`${line}\n`);
  });
  messages.leaveStdio(addon, waiting.pidfd);
  await sandbox.start(
    {
      path: "/usr/bin/bwrap",
      argv: (planFd, statusFd) => [
        "bwrap",
        "--args",
        String(argsFd),
        "--",
        "/tmp/fence/bin/fence",
        "bootstrap",
        "--plan-fd",
        String(planFd),
        "--status-fd",
        String(statusFd),
      ],
    },
    plan,
  );
  const end = await front.ended();
  if (end === "gone") return;
  const said = await sandbox.messages;
  if (said !== "") messages.write(said);
}
