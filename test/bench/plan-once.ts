/**
 * Plans the mounts of one workspace once and prints the milliseconds.
 *
 * Runs:     as a child of mounts.ts: node plan-once.ts WORKSPACE
 */
import { homedir } from "node:os";
import addon from "landlock-napi/addon";
import { hostPath } from "../../src/base/paths.ts";
import { planMounts } from "../../src/plan/mount-plan.ts";
import { hostView } from "../../src/sys/host-view.ts";
import { policyOf } from "../kit/policies.ts";

const [, , workspace = "/"] = process.argv;
const home = homedir();
const policy = policyOf({
  filesystem: { allowWrite: [workspace], denyRead: [`${home}/.ssh`, `${home}/.aws`] },
  command: { useDefaults: true },
});
const facts = {
  uid: process.getuid?.() ?? 0,
  gid: process.getgid?.() ?? 0,
  home,
  directory: workspace,
  environment: process.env,
  executable: hostPath(process.execPath),
  bridgeSockets: [],
};
const start = performance.now();
planMounts(policy, facts, hostView(addon));
process.stdout.write(String(performance.now() - start));
