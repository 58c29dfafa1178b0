/**
 * The demonstration: a real program in an empty root, with one file and one host granted, tries more than that.
 *
 * Runs:     on the host (npm run demo). Needs bubblewrap and busybox.
 * Promises: prints what the program really saw, and fails when anything was not as promised.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { tmpdir } from "node:os";
import { optionNeeds } from "../src/landlock/options.ts";
import { loadAddon } from "../src/sys/addon.ts";
import { addonPrebuild, fence } from "./paths.ts";

interface Attempt {
  readonly command: string;
  readonly granted: boolean;
}

/** What file rules need under --landlock=required, docs/options.md. */
const fullAbi = optionNeeds["--ro"].abi;
const allowedHost = "allowed.example";

async function main(): Promise<number> {
  preflight();
  const folder = mkdtempSync(`${tmpdir()}/fence-demo-`);
  const web = createServer((_, response) => response.end("hello from the web server\n"));
  const proxy = filteringProxy(() => portOf(web));
  try {
    mkdirSync(`${folder}/data`);
    writeFileSync(`${folder}/data/notes.txt`, "hello from a granted file\n");
    writeFileSync(`${folder}/data/secret.txt`, "the secret\n");
    await once(web.listen(0, "127.0.0.1"), "listening");
    await once(proxy.listen(`${folder}/proxy.sock`), "listening");
    return await demonstrate(folder, portOf(web));
  } finally {
    web.close();
    proxy.close();
    rmSync(folder, { recursive: true });
  }
}

async function demonstrate(folder: string, webPort: number): Promise<number> {
  const attempts: Attempt[] = [
    { command: "cat /data/notes.txt", granted: true },
    { command: "cat /data/secret.txt", granted: false },
    { command: `wget -q -O - http://${allowedHost}/`, granted: true },
    { command: "wget -q -O - http://forbidden.example/", granted: false },
    { command: `wget -Y off -q -O - http://127.0.0.1:${webPort}/`, granted: false },
  ];
  const root = [
    ...["--unshare-all", "--die-with-parent", "--proc", "/proc"],
    ...["--ro-bind", fence, "/tmp/fence/bin/fence", "--ro-bind", "/bin/busybox", "/bin/busybox"],
    ...[
      "--ro-bind",
      `${folder}/data`,
      "/data",
      "--bind",
      `${folder}/proxy.sock`,
      "/run/proxy.sock",
      "--remount-ro",
      "/",
    ],
  ];
  const grants = ["--http-proxy", "unix:/run/proxy.sock", "--rox", "/bin", "--ro", "/data/notes.txt"];
  const older = landlockAbi() < fullAbi ? ["--landlock=best-effort"] : [];
  console.log("The program is busybox, alone in an empty read-only root. It is granted /bin, the file /data/notes.txt");
  console.log(
    `and a proxy that lets only http://${allowedHost}/ through (here a web server of the demo answers for it).\n`,
  );
  if (older.length > 0)
    console.log("This kernel is older than Linux 6.10, so Landlock is asked for as far as it goes.\n");
  console.log(`  fence bootstrap ${[...grants, ...older].join(" ")} -- /bin/busybox sh\n`);
  const started = performance.now();
  const shell = spawn(
    "bwrap",
    [...root, "/tmp/fence/bin/fence", "bootstrap", ...grants, ...older, "--", "/bin/busybox", "sh"],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  shell.stdin.end(attempts.map(script).join(""));
  const output: string[] = [];
  shell.stdout.setEncoding("utf8").on("data", (text: string) => output.push(text));
  const [status] = await once(shell, "close");
  const elapsedMs = performance.now() - started;
  const outcomes = output.join("").split("\0");
  if (status !== 0 || outcomes.length !== attempts.length + 1) {
    console.error(`demo: the program did not run to its end (status ${status})`);
    return 1;
  }
  const wrong = attempts.filter((attempt, i) => !show(attempt, outcomes[i] ?? ""));
  if (wrong.length > 0) {
    console.error(`demo: not as promised: ${wrong.map(({ command }) => command).join("; ")}`);
    return 1;
  }
  console.log(
    `\nAs promised: what was granted worked, everything else was denied (${elapsedMs.toFixed(0)} ms in all).`,
  );
  return 0;
}

/** Prints the command's output, its exit status and a NUL. */
function script({ command }: Attempt): string {
  return `/bin/busybox ${command} 2>&1; echo "$?"; printf '\\0'\n`;
}

/** Prints one attempt; whether it went as promised. */
function show({ command, granted }: Attempt, outcome: string): boolean {
  const lines = outcome.trimEnd().split("\n");
  const worked = lines.pop() === "0";
  console.log(`  $ ${command}\n${lines.map((line) => `      ${line}`).join("\n")}`);
  console.log(`      -> ${worked ? "works" : "denied"}${worked === granted ? "" : " (NOT as promised)"}`);
  return worked === granted;
}

/** Passes requests for the allowed host on to a port of the host's loopback, and refuses all others. */
function filteringProxy(port: () => number): Server {
  return createServer((incoming, response) => {
    const { hostname, pathname } = new URL(incoming.url ?? "", "http://invalid.example");
    if (hostname !== allowedHost) {
      response.writeHead(403).end("denied by the proxy\n");
      return;
    }
    request({ host: "127.0.0.1", port: port(), path: pathname }, (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    })
      .on("error", () => response.writeHead(502).end())
      .end();
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the web server has no port");
  return address.port;
}

function landlockAbi(): number {
  const abi = loadAddon(addonPrebuild).landlockAbi();
  if (abi >= 1) return abi;
  console.error(
    "demo: this kernel has no Landlock, which the demo shows: enable it in the lsm= list of its command line",
  );
  process.exit(1);
}

/** bubblewrap cannot work everywhere; what it says is passed on with the usual remedy. */
function preflight(): void {
  const { status, stderr, error } = spawnSync("bwrap", ["--unshare-all", "--ro-bind", "/", "/", "true"], {
    encoding: "utf8",
  });
  if (status === 0) return;
  console.error(`demo: bubblewrap cannot make a sandbox here: ${error?.message ?? stderr.trim()}`);
  console.error("demo: it needs unprivileged user namespaces. In a container allow them (or run it privileged);");
  console.error("demo: on Ubuntu 24.04: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0");
  process.exit(1);
}

process.exitCode = await main();
