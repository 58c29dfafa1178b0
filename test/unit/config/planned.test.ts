import { describe, expect, test } from "vitest";
import { templateNames } from "../../../src/config/templates.ts";
import { planMounts } from "../../../src/plan/mount-plan.ts";
import { factsOf, hostOf, type Tree } from "../../kit/hosts.ts";
import { replay } from "../../kit/mount-model.ts";
import { merged } from "../../kit/odd-hosts.ts";
import { type Launch, load, type Tree as Settings } from "../../kit/settings.ts";

/** What a program sees under these settings, in /home/u/work of this host. */
function seen(host: Tree, settings: Settings, launch: Launch = {}) {
  const facts = factsOf(launch.directory === undefined ? {} : { directory: launch.directory });
  const view = hostOf({ ...merged, "/usr/local/bin/fence": "", ...host });
  const { policy } = load(settings, { directory: facts.directory, home: facts.home, ...launch });
  const plan = planMounts(policy, facts, view);
  const { look, problems } = replay(plan.mounts, view, plan.leftBehind);
  expect(problems).toEqual([]);
  return look;
}

const used: Tree = {
  "/home/u/work/src/.env": "secret",
  "/home/u/work/.env": "secret",
  "/home/u/work/packages/a/tls.key": "secret",
  "/home/u/work/deep/down/here/tls.key": "secret",
  "/home/u/.aws/credentials": "secret",
  "/home/u/.ssh/id_ed25519": "secret",
  "/home/u/.ssh/work": "secret",
  "/home/u/.ssh/known_hosts": "",
  "/tmp/tmux-1000/default": "socket",
  "/home/u/.config/gcloud/token": "secret",
  "/home/u/.config/fence/fence.json": "{}",
  "/home/u/.config/opencode/state": "",
  "/home/u/.config/autostart/x.desktop": "",
  "/home/u/.claude/x": "",
  "/home/u/.cache/x": "",
  "/home/u/documents/letter": "",
};

test.for(templateNames)("%s can be planned in an empty home and in one that is used", (template) => {
  for (const host of [{}, used]) {
    const look = seen(host, {}, { template });
    expect(look("/home/u/work/main.c")?.isWritable).toBe(true);
    expect(look("/usr/bin/dash")?.isWritable).toBe(false);
  }
});

test.for(templateNames)("%s shows nothing of the host's /tmp, where sockets of tmux and others are", (template) => {
  const look = seen(used, {}, { template });
  expect(look("/tmp")).toMatchObject({ source: null, isWritable: true });
  expect(look("/tmp/tmux-1000/default")).toBe(null);
});

describe("under the template code", () => {
  const look = seen(used, {}, { template: "code" });

  test.for([
    "/home/u/.aws/credentials",
    "/home/u/.ssh/id_ed25519",
    "/home/u/.ssh/work",
    "/home/u/.config/gcloud/token",
  ])("%s cannot be read", (path) => {
    expect(look(path)?.source ?? null).toBe(null);
  });

  test.for([
    "/home/u/work/.env",
    "/home/u/work/src/.env",
    "/home/u/work/packages/a/tls.key",
    "/home/u/.config/fence/fence.json",
    "/home/u/.config/autostart/x.desktop",
    "/home/u/documents/letter",
    "/home/u/.ssh/known_hosts",
  ])("%s can be read, and not written", (path) => {
    expect(look(path)).toMatchObject({ source: path, isWritable: false });
  });

  test.for([
    "/home/u/work/main.c",
    "/home/u/.claude/x",
    "/home/u/.cache/x",
    "/home/u/.config/opencode/state",
    "/home/u/work/deep/down/here/tls.key",
  ])("%s can be written", (path) => {
    expect(look(path)).toMatchObject({ source: path, isWritable: true });
  });
});

test("under code-strict the rest of the home directory is not there", () => {
  const look = seen(used, {}, { template: "code-strict" });
  expect(look("/home/u/documents/letter")).toBe(null);
  expect(look("/home/u/work/main.c")?.isWritable).toBe(true);
});

describe("the settings that were read stay as they are", () => {
  const text = '{ "filesystem": { "allowWrite": ["."] } }';

  test.for(["/home/u/work", "/home/u/[id]", "/home/u/a*"])("in %s", (directory) => {
    const path = `${directory}/fence.json`;
    const look = seen({ [path]: text, [`${directory}/x`]: "" }, { [path]: text }, { directory });
    expect(look(`${directory}/x`)?.isWritable).toBe(true);
    expect(look(path)).toMatchObject({ source: path, isWritable: false });
  });
});
