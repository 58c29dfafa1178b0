/**
 * `fence run`: a shell of the host in a project, with a proxy and a published port.
 *
 * Runs:     on the host (npm run demo).
 */
import { allowedHost, type DemoGround, fetched } from "./demo-ground.ts";
import { type Attempt, DemoShell } from "./demo-shell.ts";
import { fence } from "./paths.ts";

/** What did not go as promised. */
export async function showRun(
  ground: DemoGround,
  verdict: "strict" | "best-effort" | "landlock",
): Promise<readonly string[]> {
  const isBare = verdict === "landlock";
  const ports = isBare ? [] : ["--publish", "0:8080"];
  const less = { strict: [], "best-effort": ["--isolation", "best-effort"], landlock: ["--backend", "landlock"] };
  const options = [
    ...less[verdict],
    ...["--allow-write", ".", "--deny-read", "~/.ssh", "--http-proxy", `http://127.0.0.1:${ground.proxyPort}`],
    ...[...ports, "--status-fd", "3"],
  ];
  console.log(
    "\n\nfence run: a shell in ~/project. It may write there; ~/.ssh is hidden; all of the network is a proxy that",
  );
  console.log(`lets only http://${allowedHost}/ through (a web server of the demo at port WEB answers for it).\n`);
  console.log(ground.named(`  fence run ${options.join(" ")} -- sh\n`));
  const { home, project: cwd } = ground;
  const shell = new DemoShell([fence, "run", ...options, "--", "sh"], {
    home,
    cwd,
    named: (text) => ground.named(text),
  });
  shell.tell('wget() { /bin/busybox wget "$@"; }');
  const wrong = [...(await shell.all(attempts(ground)))];
  if (isBare) console.log("\n  Not shown: a published port, which needs a network namespace.");
  else if (!(await showPublished(shell))) wrong.push("the published port");
  const status = await shell.end("exit 7");
  console.log(`  $ exit 7\n      -> fence ends with ${status}`);
  return status === 7 ? wrong : [...wrong, "the exit status"];
}

function attempts({ webPort }: DemoGround): readonly Attempt[] {
  return [
    { command: "cat notes.txt", granted: true },
    { command: "echo more >> notes.txt", granted: true },
    { command: "cat ~/.ssh/id_ed25519", granted: false },
    { command: "echo evil >> ~/.bashrc", granted: false },
    { command: `wget -q -O - http://${allowedHost}/`, granted: true },
    { command: "wget -q -O - http://forbidden.example/", granted: false },
    { command: `wget -Y off -q -O - http://127.0.0.1:${webPort}/`, granted: false },
  ];
}

/** Whether the host reaches the server that the shell starts, and not before. */
async function showPublished(shell: DemoShell): Promise<boolean> {
  const { published } = (await shell.report("ready")) as { published: readonly { hostPort: number }[] };
  const port = published[0]?.hostPort ?? -1;
  const before = await fetched(port, "/notes.txt");
  const started = await shell.try({ command: "busybox httpd -p 127.0.0.1:8080 -h .", granted: true });
  const answer = (await fetched(port, "/notes.txt"))?.trimEnd().split("\n") ?? [];
  console.log("  the host gets http://127.0.0.1:PUBLISHED/notes.txt");
  for (const line of answer) console.log(`      ${line}`);
  const worked = before === null && answer[0] === "hello from the project";
  console.log(`      -> ${worked ? "works" : "NOT as promised"}`);
  return started && worked;
}
