/**
 * `fence bootstrap`: busybox alone in an empty root, with one file and one host granted.
 *
 * Runs:     on the host (npm run demo).
 */
import { spawnSync } from "node:child_process";
import { optionNeeds } from "../src/landlock/options.ts";
import { loadAddon } from "../src/sys/addon.ts";
import { allowedHost, type DemoGround } from "./demo-ground.ts";
import { DemoShell } from "./demo-shell.ts";
import { addonPrebuild, fence } from "./paths.ts";

/** What file rules need under --landlock=required, docs/options.md. */
const fullAbi = optionNeeds["--ro"].abi;

/** What did not go as promised. */
export async function showBootstrap(ground: DemoGround): Promise<readonly string[]> {
  console.log(
    "\n\nfence bootstrap: the inside alone, in a sandbox that something else makes, such as a container. Here",
  );
  console.log("bubblewrap makes an empty read-only root, in which busybox is granted one file and the proxy.\n");
  const missing = whyNoRoot();
  if (missing !== null) {
    console.log(`  Not shown: ${missing}`);
    return [];
  }
  const root = [
    ...["--unshare-all", "--die-with-parent", "--proc", "/proc"],
    ...["--ro-bind", fence, "/tmp/fence/bin/fence", "--ro-bind", "/bin/busybox", "/bin/busybox"],
    ...["--ro-bind", `${ground.home}/data`, "/data", "--bind", ground.proxySocket, "/run/proxy.sock"],
    ...["--remount-ro", "/"],
  ];
  const options = ["--http-proxy", "unix:/run/proxy.sock", "--rox", "/bin", "--ro", "/data/notes.txt"];
  const older = landlockAbi() < fullAbi ? ["--landlock=best-effort"] : [];
  if (older.length > 0)
    console.log("  This kernel is older than Linux 6.10: Landlock is asked for as far as it goes.\n");
  const bootstrap = ["bootstrap", ...options, ...older, "--", "/bin/busybox", "sh"];
  console.log(`  fence ${bootstrap.join(" ")}\n`);
  const named = (text: string): string => ground.named(text);
  const shell = new DemoShell(["bwrap", ...root, "/tmp/fence/bin/fence", ...bootstrap], { named });
  for (const applet of ["cat", "wget"]) shell.tell(`${applet}() { /bin/busybox ${applet} "$@"; }`);
  const wrong = await shell.all([
    { command: "cat /data/notes.txt", granted: true },
    { command: "cat /data/secret.txt", granted: false },
    { command: `wget -q -O - http://${allowedHost}/`, granted: true },
    { command: `wget -Y off -q -O - http://127.0.0.1:${ground.webPort}/`, granted: false },
  ]);
  const status = await shell.end("exit 0");
  return status === 0 ? wrong : [...wrong, "the exit status"];
}

/** null: bubblewrap makes an empty root here, and the kernel has Landlock. */
function whyNoRoot(): string | null {
  const { status, stderr, error } = spawnSync("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], {
    encoding: "utf8",
  });
  if (status !== 0) return `bubblewrap cannot make a sandbox here (${error?.message ?? stderr.trim()})`;
  return landlockAbi() >= 1 ? null : "this kernel has no Landlock: enable it in the lsm= list of its command line";
}

function landlockAbi(): number {
  return loadAddon(addonPrebuild).landlockAbi();
}
