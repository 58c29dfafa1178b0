import { describe, expect, test } from "vitest";
import { deniedCommand, deniedPrograms, deniedScript, refuseDeniedCommand } from "../../../src/plan/denied-commands.ts";
import { failure } from "../../kit/errors.ts";
import { policyOf } from "../../kit/policies.ts";

const { command } = policyOf({
  command: { deny: ["git push", "npm publish", "sudo"], allow: ["git push origin docs"] },
});
const withDefaults = policyOf({ command: { useDefaults: true, allow: ["chroot"] } }).command;

describe("a command", () => {
  test.for([
    ["git push"],
    ["/usr/bin/git push --force"],
    ["FOO=1 git push"],
    ["env -i PATH=/bin git push"],
    ["nohup sudo -i"],
    ["sh -c 'cd x && git push'"],
    ["bash -lc 'npm publish'"],
    ["sh -c 'sh -c \"git push\"'"],
  ])("%s is denied by its first words", ([line = ""]) => {
    expect(deniedScript(command, line)).not.toBeNull();
  });

  test.for([
    ["git pull"],
    ["git pushing"],
    ["echo git push"],
    ["echo 'x; git push'"],
    ["git push origin docs"],
    ["sh -c 'git push origin docs'"],
    ["env"],
    [""],
  ])("%s is not", ([line = ""]) => {
    expect(deniedScript(command, line)).toBeNull();
  });

  test("as an argv its words are not split again", () => {
    expect(deniedCommand(command, ["git", "push"])).toBe("git push");
    expect(deniedCommand(command, ["git push"])).toBeNull();
    expect(deniedCommand(command, ["echo", "; git push"])).toBeNull();
    expect(deniedCommand(command, ["sh", "-c", "x; git push"])).toBe("git push");
    expect(deniedCommand(command, ["sh", "git", "push"])).toBeNull();
    expect(deniedCommand(command, [])).toBeNull();
  });

  test("defaults hold only when they are used, and allow lifts them", () => {
    expect(deniedScript(command, "reboot")).toBeNull();
    expect(deniedScript(withDefaults, "dd if=/dev/sda of=x")).toBe("dd if=");
    expect(deniedScript(withDefaults, "dd of=x")).toBeNull();
    expect(deniedScript(withDefaults, "docker run -v /:/host x")).toBe("docker run -v /:/");
    expect(deniedScript(withDefaults, "chroot /srv")).toBeNull();
  });
});

test.for([
  ["a; git push"],
  ["a && git push"],
  ["a || git push"],
  ["a | git push"],
  ["a & git push"],
  ["a\ngit push"],
  ["(git push)"],
  ["echo $(git push)"],
  ['echo "$(git push)"'],
  ["echo `git push`"],
  ["if git push; then x; fi"],
  ["git \\push"],
  ["'git' push"],
])("in a shell's string %j is found", ([script = ""]) => {
  expect(deniedScript(command, script)).toBe("git push");
});

test("a denied command is an error that names the entry, and what to do", () => {
  const error = failure(() => refuseDeniedCommand(command, ["git", "push", "--token=hunter2"]));
  expect(error).toMatchObject({ code: "FENCE_COMMAND", exitStatus: 125 });
  expect(error.message).toBe('the command is denied: command.deny "git push"');
  expect(error.details.hint).toContain("command.allow");
  expect(() => refuseDeniedCommand(command, "git status")).not.toThrow();
});

test("programs denied at run time are the entries of one word", () => {
  expect(deniedPrograms(command)).toEqual([{ name: "sudo", isDefault: false }]);
  const names = deniedPrograms(withDefaults).map(({ name }) => name);
  expect(names).toContain("reboot");
  expect(names).not.toContain("chroot");
  expect(names.some((name) => name.includes(" "))).toBe(false);
});
