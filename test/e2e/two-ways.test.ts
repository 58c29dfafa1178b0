import { createServer } from "node:net";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { homeFolder, type LaunchOptions, launch, launched, users } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { type Way, wayOptions } from "../kit/ways.ts";

const needs = { root: requires("bwrap", "root"), nobody: requires("unprivileged bwrap") };

/** What the shell prints in each way, with everything of it that is another in each sandbox made the same. */
async function inBoth(script: string, options: LaunchOptions): Promise<Record<Way, string>> {
  const both = { home: homeFolder(), ...options };
  const [one, other] = await Promise.all([inWay("launched", script, both), inWay("standalone", script, both)]);
  return { launched: one, standalone: other };
}

async function inWay(way: Way, script: string, options: LaunchOptions): Promise<string> {
  const given = { ...options, options: [...wayOptions[way], ...(options.options ?? [])] };
  const { status, stdout, stderr, reports } = await launched(["sh", "-c", script], given);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(reports).toContainEqual(expect.objectContaining({ event: "ready", way }));
  return stdout;
}

/** Numbers of mounts and users, and the names that bubblewrap makes up. */
function withoutNumbers(text: string): string {
  return text.replace(/\b\d+\b/g, "N").replace(/bindfile\w+/g, "bindfile");
}

describe.for(users)("as %s, both ways show the program the same", (user) => {
  beforeEach(needs[user]);

  test("variables, directory, umask, signals, limits and descriptors", async () => {
    const env = { KEPT: "a value\nof two lines", TMPDIR: "/nonexistent" };
    const show = `env -0 | sort -z; pwd; umask; exec "${probe}" facts`;
    const found = await inBoth(show, { user, env, options: ["--env", "MORE=1"] });
    expect(found.launched).toContain("KEPT=a value");
    expect(withoutProcesses(found.launched)).toEqual(withoutProcesses(found.standalone));
  });

  test("capabilities, filters, no_new_privs and the other lines of its status", async () => {
    const lines =
      "^(Umask|TracerPid|Uid|Gid|Groups|SigPnd|SigBlk|SigIgn|SigCgt|ShdPnd|Cap|NoNewPrivs|Seccomp|Seccomp_filters|Speculation|Cpus|Mems)";
    const found = await inBoth(`grep -E '${lines}' /proc/self/status; cat /proc/self/limits`, { user });
    expect(found.launched).toMatch(/^NoNewPrivs:\s+1$/m);
    expect(found.launched).toEqual(found.standalone);
  });

  test("files, mounts and what Landlock denies", async () => {
    const attempts = ["/usr/x", "/tmp/x", "/proc/sys/kernel/hostname", "/dev/null", "/etc/hostname"];
    const tries = attempts.map((path) => `"${probe}" open-write ${path}`).join("; ");
    const show = `cut -d' ' -f4- /proc/self/mountinfo; ls -a / /tmp /tmp/fence /tmp/fence/bin; ${tries}`;
    const found = await inBoth(show, { user });
    expect(found.launched).toMatch(/EROFS|EACCES/);
    expect(withoutNumbers(found.launched)).toEqual(withoutNumbers(found.standalone));
  });

  test("the network, with a proxy, a local port and a published one", async () => {
    const port = await listening();
    const proxy = `tcp:127.0.0.1:${port}`;
    const options = ["--http-proxy", proxy, "--socks-proxy", proxy];
    const network = [...options, "--local-port", String(port), "--publish", "127.0.0.1:0:8080"];
    const show = `env | grep -i proxy | sort; ls /sys/class/net 2>&1; cat /proc/net/route; ${addresses("tcp")}; ${addresses("tcp6")}`;
    const found = await inBoth(show, { user, options: network });
    expect(found.launched).toContain("HTTP_PROXY=http://127.0.0.1:3128");
    expect(found.launched).toContain("0100007F:0C38");
    expect(found.launched).toEqual(found.standalone);
  });

  test("no Node is in a launched sandbox, also while its network is used", async () => {
    const port = await listening();
    const options = ["--local-port", String(port)];
    const counted = `"${probe}" echo-tcp ${port} hello; cat /proc/[0-9]*/comm; echo end; read -r line`;
    const program = launch(["sh", "-c", counted], { user, options, input: "held" });
    const found: string[] = [];
    for (let line = await program.line(); line !== null && line !== "end"; line = await program.line())
      found.push(line);
    expect(found[0]).toContain("hello");
    expect(found.slice(1).toSorted()).toEqual(["fence", "sh"]);
    program.tell("");
    expect(await program.outcome).toMatchObject({ status: 0 });
  });

  test.for([
    { what: "a program that is not there", words: ["nothing-of-this-name"], options: [] },
    { what: "a path that is not there", words: ["/nothing/of/this/name"], options: [] },
    { what: "a directory", words: ["/usr"], options: [] },
    { what: "a file that is no program", words: ["/etc/passwd"], options: [] },
    { what: "a working directory that is not there", words: ["true"], options: ["--chdir", "/nothing/there"] },
  ])("the same error for $what", async ({ words, options }) => {
    const tried = async (way: Way) => {
      const { status, stderr, reports } = await launched(words, { user, options: [...wayOptions[way], ...options] });
      return { status, stderr, failed: reports.at(-1) };
    };
    const outcome = await tried("launched");
    expect(outcome.status).toBeGreaterThanOrEqual(125);
    expect(outcome).toEqual(await tried("standalone"));
  });
});

/** PID, and the numbers that `facts` prints of descriptors. */
function withoutProcesses(text: string): string {
  return text.replace(/"(pid|ppid|pgid|sid)":\d+/g, '"$1":N');
}

/** The local addresses of listening sockets. */
function addresses(protocol: "tcp" | "tcp6"): string {
  return `awk '$4 == "0A" { print $2 }' /proc/net/${protocol} | sort`;
}

async function listening(): Promise<number> {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  return address.port;
}
