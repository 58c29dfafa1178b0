// What a launched sandbox does with little: of descriptors, processes, memory, standard streams, listeners of its own.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { kill } from "../kit/kept-sandbox.ts";
import { homeFolder, launch, launched, users } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";

beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv"));

const RLIMIT_NPROC = 6;
const RLIMIT_NOFILE = 7;
const RLIMIT_AS = 9;

const oneReport = /^fence: .*\n( {2}(step|hint): {2}.*\n)* {2}code: {2}FENCE_\w+\n$/;
/** Of whoever waits for a launcher that could not begin; what it said itself stands above, docs/faults.md. */
const ofWaiting = /fence: the set-up process ended before it was ready\n( {2}.*\n)*$/;

describe.for([
  { what: "open files", limit: RLIMIT_NOFILE, values: [8, 20, 24, 28, 34, 40] },
  { what: "processes", limit: RLIMIT_NPROC, values: [1, 4] },
  { what: "memory", limit: RLIMIT_AS, values: [1 << 20, 64 << 20] },
])("with few $what", ({ limit, values }) => {
  test.for(values)("%d: the program runs, or there is one report", { timeout: 60_000 }, async (value) => {
    const arranged = ["limit", String(limit), `${value}`, `${value}`];
    const options = ["--local-port", "9999", "--publish", "127.0.0.1:0:8080"];
    const outcome = await launched([probe, "exit", "7"], { user: "nobody", arranged, options });
    if (outcome.status === 7) {
      expect(outcome.stderr).toBe("");
    } else {
      expect(outcome).toMatchObject({ status: 125, stdout: "" });
      const reports = [outcome.stderr, outcome.stderr.replace(ofWaiting, "")];
      expect(reports).toContainEqual(expect.stringMatching(oneReport));
      expect(outcome.stderr).not.toContain("FENCE_BUG");
    }
  });
});

describe.for(users)("as %s", (user) => {
  test("a program that closes all its descriptors at once runs on, and its end is told", async () => {
    const script = "import os; os.closerange(0, 1 << 16); os._exit(7)";
    expect(await launched(["/usr/bin/python3", "-c", script], { user })).toMatchObject({ status: 7, stderr: "" });
  });

  test("a plan that cannot be made, while bubblewrap is at work already, is one error, and nothing is left", async () => {
    const home = homeFolder();
    for (let i = 0; i < 5; i++) {
      const outcome = await launched([probe, "exit", "7"], { user, home, env: { "=a": "b" } });
      expect(outcome).toMatchObject({ status: 125, stdout: "" });
      expect(outcome.stderr).toMatch(oneReport);
      expect(outcome.stderr).toContain("FENCE_PLAN");
      expect(outcome.reports.map(({ event }) => event)).toEqual(["starting", "failed"]);
    }
    expect(readdirSync(home)).toEqual([]);
  });

  test("a caller that ignores SIGCHLD and SIGPIPE gets the status, and the program finds them so", async () => {
    const arranged = ["ignore", "17", "ignore", "13"];
    const program = ["/usr/bin/grep", "SigIgn", "/proc/self/status"];
    const direct = await launched(program, { user, arranged, through: "nothing" });
    expect(direct.stdout).toMatch(/SigIgn:\s+0*11000$/m);
    expect(await launched(program, { user, arranged })).toMatchObject({ status: 0, stdout: direct.stdout, stderr: "" });
    expect(await launched([probe, "exit", "7"], { user, arranged })).toMatchObject({ status: 7, stderr: "" });
  });
});

test("a network part that is killed is said to have been, and the sandbox goes on", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? String(address.port) : "";
  const ask = `"${probe}" echo-tcp ${port} hello`;
  const sandbox = launch(["sh", "-c", `${ask}; read line; exit 7`], {
    options: ["--local-port", port],
    input: "held",
  });
  expect(await sandbox.line()).toContain("hello");
  const part = sandbox.processes().find(({ command }) => command.startsWith("fence: network"));
  kill(part?.pid ?? -1, "SIGKILL");
  expect(await sandbox.errorLine()).toMatch(/^fence: the network part of the sandbox has ended \(SIGKILL\)/);
  sandbox.end();
  expect(await sandbox.outcome).toMatchObject({ status: 7 });
});

test.for([[], ["--no-fast-path"]])("a status descriptor that nobody reads any more is one error %j", async (way) => {
  const script = 'exec 5>&1; { "$@" 4>&6 6>&-; echo $? >&5; } 6> >(read -r line)';
  const command = [process.env["FENCE_TEST_FOLDER"] ?? "", "fence"].join("/");
  const program = [command, "run", "--status-fd", "4", ...way, "--", "sleep", "100"];
  const outcome = await launched(["bash", "-c", script, "bash", ...program], { through: "nothing" });
  expect(outcome.stdout).toBe("125\n");
  expect(outcome.stderr).toMatch(/^fence: cannot write to status descriptor 4: write: EPIPE .*\n/);
  expect(outcome.stderr.match(/^fence: /gm)).toHaveLength(1);
});
