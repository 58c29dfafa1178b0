import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { forwardProxy } from "../kit/forward-proxy.ts";
import { users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { tool, type Workplace, workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap", "git"));

/** What an agent's program would do, line by line; each line is one word and what came of it. */
const does = (word: string, command: string) =>
  `if (${command}) 2>/dev/null; then echo ${word}; else echo "no ${word}"; fi`;

const settings = `{
  "extends": "code", // what coding agents need
  "filesystem": { "denyRead": [".env"] },
}`;

describe.for(users)("a coding agent as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  /** A home directory as many are. */
  async function usualWork(): Promise<Workplace> {
    const work = workplace(user);
    work.write("fence.jsonc", settings);
    work.write(".ssh/id_ed25519", "the ssh key\n", 0o600);
    work.write(".ssh/config", "Host *\n", 0o600);
    work.write(".aws/credentials", "the aws key\n", 0o600);
    work.write(".gnupg/private-keys-v1.d/key", "the gpg key\n", 0o600);
    work.write(".netrc", "machine example.com password the-netrc\n", 0o600);
    work.write(".bashrc", "# mine\n");
    work.write(".gitconfig", "[user]\n\tname = Somebody\n\temail = somebody@example.com\n");
    work.write(".claude/settings.json", "{}\n");
    work.write(".cache/tool/index", "cached\n");
    work.write("project/.vscode/settings.json", "{}\n");
    work.write("project/.env", "TOKEN=the-token\n");
    work.write("project/main.c", "int main(void) { return 0; }\n");
    expect(
      await work.shell("git init -q -b main; git add main.c; git commit -qm first", { through: "nothing" }),
    ).toEqual(expect.objectContaining({ status: 0 }));
    return work;
  }

  test("cannot read keys, whatever it tries", async () => {
    const work = await usualWork();
    const secrets =
      "cat ~/.ssh/* ~/.aws/* ~/.gnupg/*/* ~/.netrc .env; grep -rs 'the[ -]' ~; tar -cf - ~ | grep -a 'the[ -]'";
    const outcome = await work.run(["sh", "-c", `${secrets}; true`]);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).not.toMatch(/the[ -](ssh|aws|gpg|netrc|token)/);
    const direct = await work.run(["sh", "-c", `${secrets}; true`], { through: "nothing" });
    for (const key of ["the ssh key", "the aws key", "the gpg key", "the-netrc", "the-token"])
      expect(direct.stdout).toContain(key);
  });

  test("cannot change what runs outside of the sandbox later on", async () => {
    const work = await usualWork();
    const tries = {
      bashrc: "echo evil >> ~/.bashrc",
      "bashrc renamed": "mv ~/.bashrc ~/.bashrc.old",
      profile: "echo evil > ~/.profile",
      "new shell file": "echo evil > ~/.zshrc",
      gitconfig: "git config --global core.pager evil",
      "repository config": "git config core.fsmonitor evil",
      hook: "echo evil > .git/hooks/pre-commit",
      hooks: "mv .git/hooks .git/old",
      "git directory": "mv .git .git2",
      editor: "echo {} > .vscode/tasks.json",
      autostart: "mkdir -p ~/.config/autostart && echo evil > ~/.config/autostart/evil.desktop",
      settings: "echo {} > ~/fence.jsonc",
      key: "echo evil > ~/.ssh/authorized_keys",
      env: "echo evil > .env",
      program: "echo evil > ~/.local/bin/ls || echo evil > /usr/local/bin/ls",
    };
    const script = Object.entries(tries)
      .map(([word, command]) => does(word, command))
      .join("\n");
    const { stdout } = await work.run(["sh", "-c", script]);
    expect(stdout.trim().split("\n")).toEqual(Object.keys(tries).map((word) => `no ${word}`));
    expect(readFileSync(join(work.home, ".bashrc"), "utf8")).toBe("# mine\n");
  });

  test("is told of when it makes a file that other programs obey, where there was none", async () => {
    const work = await usualWork();
    const { status, stderr } = await work.shell("mkdir .idea; echo {} > .mcp.json");
    expect(status).toBe(0);
    for (const made of [".idea", ".mcp.json"])
      expect(stderr).toContain(`fence: the program made ${join(work.project, made)}: other programs of yours obey`);
  });

  test("works in the project: edits, builds, commits; uses its own and the tools' directories", async () => {
    const work = await usualWork();
    const script = [
      "sed -i 's/return 0/return 3/' main.c",
      "cc -o main main.c",
      "./main || echo $?",
      "git checkout -q -b change",
      "git commit -qam 'return 3'",
      "git log --format='%an %s'",
      "git status --short",
      "echo '{\"a\":1}' > ~/.claude/settings.json",
      "echo more >> ~/.cache/tool/index",
      "echo text > $(mktemp)",
    ].join("\n");
    const proxy = await forwardProxy({});
    const outcome = await work.shell(script, { options: ["--http-proxy", proxy.url] });
    expect(outcome).toMatchObject({
      status: 0,
      stdout: "3\nSomebody return 3\nSomebody first\n?? .env\n?? .vscode/\n?? main\n",
      stderr: "",
    });
    expect(tool(["sh", "-c", "tail -n1 ../.cache/tool/index"], work.project)).toBe("more\n");
  });

  test("does not push, publish or become root", async () => {
    const work = await usualWork();
    for (const command of [
      ["git", "push"],
      ["npm", "publish"],
      ["sudo", "true"],
      ["sh", "-c", "cd /; git push origin"],
    ]) {
      const outcome = await work.run(command);
      expect(outcome).toMatchObject({ status: 125, stderr: expect.stringContaining("FENCE_COMMAND") });
    }
  });

  test("leaves nothing on the host but its work", async () => {
    const work = await usualWork();
    const before = tree(work.home);
    expect(await work.shell("touch made")).toMatchObject({ status: 0 });
    expect(tree(work.home)).toEqual([...before, "project/made"].sort());
  });
});

function tree(directory: string): readonly string[] {
  return (readdirSync(directory, { recursive: true }) as string[]).sort();
}
