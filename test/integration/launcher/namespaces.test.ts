import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { beforeEach, describe, expect, test } from "vitest";
import { type NamespaceLayer, namespaceArgs, namespaceLayers, procArgs } from "../../../src/plan/namespaces.ts";
import { asUser, type Enter } from "../../kit/places-restricted.ts";
import { requires } from "../../kit/requires.ts";
import { run } from "../../kit/sandbox.ts";

const callers: readonly (readonly [who: string, enter: Enter])[] = [
  ["root", (command) => command],
  ["an unprivileged user", asUser],
];

const kernelNames: Readonly<Record<Exclude<NamespaceLayer, "nested-user">, string>> = {
  user: "user",
  pid: "pid",
  network: "net",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
};
const kernelLayers = Object.keys(kernelNames) as (keyof typeof kernelNames)[];

function sandbox(layers: readonly NamespaceLayer[], proc: "own" | "host", command: readonly string[]) {
  const namespaces = { layers: new Set(layers), proc };
  return [
    "bwrap",
    ...namespaceArgs(namespaces, false),
    "--ro-bind",
    "/",
    "/",
    ...procArgs(namespaces),
    "--",
    ...command,
  ];
}

const facts =
  `for n in ${kernelLayers.map((layer) => kernelNames[layer]).join(" ")}; do readlink /proc/self/ns/$n; done; ` +
  "grep -E '^(CapEff|NoNewPrivs):' /proc/self/status; unshare --user true 2>/dev/null && echo can; echo $$";

describe.for(callers)("as %s", ([, enter]) => {
  beforeEach(requires("root", "bwrap", "unprivileged bwrap", "setpriv", "unshare"));

  test("strict gives every namespace, no capability, PID 1, and no way to another user namespace", async () => {
    const outside = (await run(["sh", "-c", facts])).stdout.split("\n");
    const { stdout, stderr } = await run(enter(sandbox(namespaceLayers, "own", ["sh", "-c", facts])));
    const inside = stdout.trim().split("\n");
    for (const [i, layer] of kernelLayers.entries()) expect(inside[i], layer + stderr).not.toBe(outside[i]);
    expect(inside.slice(kernelLayers.length)).toEqual(["CapEff:\t0000000000000000", "NoNewPrivs:\t1", "1"]);
  });

  test.for(kernelLayers)("without %s all the others are made", async (left) => {
    const layers = namespaceLayers.filter((each) => each !== left && (left !== "user" || each !== "nested-user"));
    const proc = left === "pid" ? "host" : "own";
    const outside = (await run(["sh", "-c", facts])).stdout.split("\n");
    const inside = (await run(enter(sandbox(layers, proc, ["sh", "-c", facts])))).stdout.split("\n");
    const same = kernelLayers.filter((_, i) => inside[i] === outside[i]);
    // For whoever is not root bwrap makes a user namespace in any case.
    expect(same).toEqual(left === "user" && enter === asUser ? [] : [left]);
    expect(inside).toContain("CapEff:\t0000000000000000");
  });

  test("the host's /proc is read-only, and /proc/self is right", async () => {
    const write = "cat /proc/self/comm; (echo 1 > /proc/self/oom_score_adj) 2>&1";
    const { stdout } = await run(enter(sandbox(namespaceLayers, "host", ["sh", "-c", write])));
    expect(stdout.split("\n")).toEqual(["cat", expect.stringContaining("Read-only file system"), ""]);
  });

  test("settings of the kernel can be read and not written, whoever it is", async () => {
    const settings = "/proc/sys/kernel/core_pattern";
    const other = "/proc/sys/vm/swappiness";
    const open = `for f in ${settings} ${other} /proc/mtrr; do [ -e $f ] && (: >> $f) 2>&- && echo opened $f; done`;
    // Opening alone changes nothing.
    expect((await run(["sh", "-c", open])).stdout).toContain(`opened ${settings}\nopened ${other}\n`);
    const { stdout } = await run(enter(sandbox(namespaceLayers, "own", ["sh", "-c", `${open}; cat ${settings}`])));
    expect(stdout).toBe(readFileSync(settings, "utf8"));
  });

  test("it ends when whoever started bwrap is killed", async () => {
    const inner = sandbox(namespaceLayers, "own", ["sh", "-c", "echo ready; exec sleep 1000"]);
    const script = `const c = require("child_process").spawn(process.argv[1], process.argv.slice(2), { stdio: "inherit" });`;
    const [file = "", ...args] = enter([process.execPath, "-e", script, ...inner]);
    const starter = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
    const all = text(starter.stdout);
    await once(starter.stdout, "data");
    starter.kill("SIGKILL");
    // The end of the output comes only when nobody in the sandbox holds it any more.
    expect(await all).toBe("ready\n");
  });
});
