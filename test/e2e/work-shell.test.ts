import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { launchCommand, users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { key, Terminal } from "../kit/terminal.ts";
import { tool, workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap", "bash"));

const drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];

describe.for(users)("an interactive shell as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  /** bash under a terminal, which has shown its first prompt. */
  async function interactive(): Promise<{ terminal: Terminal; project: string }> {
    const { home, project } = workplace(user);
    const command = launchCommand(["bash", "--norc", "-i"], { options: ["--allow-write", "."] });
    const as = user === "nobody" && process.geteuid?.() === 0 ? drop : [];
    const terminal = new Terminal(["env", "-C", project, `HOME=${home}`, "TERM=dumb", ...as, ...command]);
    await terminal.until("$ ");
    return { terminal, project };
  }

  test("runs commands, keeps what they write, and ends fence with its own status", async () => {
    const { terminal, project } = await interactive();
    terminal.type("pwd; tty; stty size\r");
    await terminal.until(`\n${project}`);
    await terminal.until("/dev/");
    terminal.type("echo text > file; touch ~/file\r");
    await terminal.until("Read-only file system");
    terminal.type("exit 7\r");
    expect(await terminal.ended).toBe(7);
    expect(tool(["cat", join(project, "file")], project)).toBe("text\n");
  });

  test("interrupts, stops, continues and ends its jobs", async () => {
    const { terminal } = await interactive();
    // What is typed before the job runs is the line editor's.
    terminal.type("sh -c 'echo runs; exec cat'\r");
    await terminal.until("\r\nruns\r\n");
    terminal.type("line\r");
    await terminal.until("line\r\nline\r\n");
    terminal.type(key.suspend);
    await terminal.until("Stopped");
    await terminal.until("$ ");
    terminal.type("jobs; fg\r");
    await terminal.until("Stopped");
    await terminal.until("exec cat'\r\n"); // of jobs
    await terminal.until("exec cat'\r\n"); // of fg
    terminal.type("again\r");
    await terminal.until("again\r\nagain\r\n");
    terminal.type(key.interrupt);
    await terminal.until("$ ");
    terminal.type("echo status=$?\r");
    await terminal.until("status=130");
    await terminal.until("$ "); // before it the line editor does not read, and the end is nobody's
    terminal.type(key.end);
    expect(await terminal.ended).toBe(0);
  });

  test("knows when the window changes its size", async () => {
    const { terminal } = await interactive();
    terminal.type("trap 'stty size' WINCH; echo ready\r");
    await terminal.until("\r\nready");
    terminal.type(key.resize);
    terminal.type("\r");
    await terminal.until("33 99");
    terminal.type(key.hangUp);
    await terminal.ended;
  });
});
