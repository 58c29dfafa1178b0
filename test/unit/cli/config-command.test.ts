import { describe, expect, test } from "vitest";
import { type ConfigDoors, runConfig } from "../../../src/cli/config-command.ts";
import { parseConfig } from "../../../src/cli/config-options.ts";
import { settingsJsonSchema } from "../../../src/config/keys.ts";
import { templateNames } from "../../../src/config/templates.ts";
import { failure } from "../../kit/errors.ts";
import { doorsOf, load, type Tree } from "../../kit/settings.ts";

const around = { directory: "/work/project", home: "/home/user", environment: {} };
const project = "/work/project/fence.json";

interface Created {
  readonly path: string;
  readonly directory: string;
  readonly text: string;
}

function run(tree: Tree, ...args: string[]): { readonly output: string; readonly created: readonly Created[] } {
  const created: Created[] = [];
  const doors: ConfigDoors = {
    ...doorsOf(tree),
    create: (path, directory, text) => created.push({ path, directory, text }),
  };
  return { output: runConfig(args, doors, around), created };
}

const tree: Tree = {
  [project]: {
    extends: "./base.json",
    network: { allowedDomains: ["b.example"], upstreamProxy: "http://u:hunter2@proxy:80", allowLocalBinding: false },
    isolation: { pid: "off" },
    allowPty: true,
  },
  "/work/project/base.json": { network: { allowedDomains: ["a.example", "b.example"], allowLocalBinding: true } },
};

describe("fence config show", () => {
  /** Value and source of each line of a key; the lines below a title. */
  const rows = (output: string, key: string) => {
    const lines = output.split("\n");
    const start = lines.findIndex((line) => line.startsWith(`${key} `));
    expect(start).toBeGreaterThan(-1);
    const end = lines.findIndex((line, i) => i > start && !line.startsWith(" "));
    return lines.slice(start, end).map((line) =>
      line
        .replace(key, "")
        .trim()
        .split(/\s{2,}/),
    );
  };
  const below = (output: string, title: string) => {
    const lines = output.split("\n");
    const start = lines.indexOf(`# ${title}`) + 1;
    expect(start).toBeGreaterThan(0);
    return lines.slice(start, lines.indexOf("", start));
  };

  test("prints every value with who said it", () => {
    const { output } = run(tree, "show");
    expect(below(output, "read, what is built upon first")).toEqual(["/work/project/base.json", project]);
    expect(below(output, "key, value, and who says so").length).toBeGreaterThan(39);
    expect(rows(output, "network.allowedDomains")).toEqual([
      ['"a.example"', "/work/project/base.json"],
      ['"b.example"', "/work/project/base.json"],
    ]);
    expect(rows(output, "network.allowLocalBinding")).toEqual([["true", "/work/project/base.json"]]);
    expect(rows(output, "network.defaultAction")).toEqual([['"deny"', "default"]]);
    expect(rows(output, "isolation")).toEqual([['{"pid":"off"}', project]]);
    expect(below(output, "notes")).toEqual(load(tree).notes.map(({ where, says }) => `${where} ${says}`));
  });

  test("as JSON: the policy that a launch would use, and the same facts", () => {
    const { output } = run(tree, "show", "--json");
    const { policy, sources, notes } = load(tree);
    const shown = JSON.parse(output);
    expect(shown).toMatchObject({ version: 1, sources, notes });
    expect(shown.policy).toEqual({
      ...policy,
      network: { ...policy.network, upstreamProxy: "http://[secret]@proxy:80" },
    });
    expect(shown.origins["network.defaultAction"]).toEqual([]);
    expect(shown.origins["isolation"]).toEqual([{ value: { pid: "off" }, from: { kind: "file", path: project } }]);
  });

  test("never shows a password", () => {
    for (const args of [["show"], ["show", "--json"]]) {
      const { output } = run(tree, ...args);
      expect(output).not.toContain("hunter2");
      expect(output).toContain("http://[secret]@proxy:80");
    }
  });

  test("takes a file, or a template", () => {
    expect(run(tree, "show", "-s", "base.json").output).not.toContain(project);
    expect(run(tree, "show", "-t", "code").output).toContain("template code");
    expect(run({}, "show").output).toContain("no settings were found");
  });
});

describe("fence config init", () => {
  test("writes settings here", () => {
    const { output, created } = run({}, "init", "-t", "code");
    expect(output).toBe("created /work/project/fence.jsonc\n");
    expect(created).toMatchObject([{ path: "/work/project/fence.jsonc", directory: "/work/project" }]);
    expect(created[0]?.text).toContain('"extends": "code"');
  });

  test("or for the user", () => {
    expect(run({}, "init", "--user").created).toMatchObject([{ path: "/home/user/.config/fence/fence.jsonc" }]);
  });

  test.for<[what: string, tree: Tree, path: string]>([
    ["fence.json", { [project]: {} }, project],
    ["fence.jsonc", { "/work/project/fence.jsonc": {} }, "/work/project/fence.jsonc"],
    ["a directory of that name", { [project]: { kind: "other", is: "a directory" } }, project],
  ])("not beside %s", ([, present, path]) => {
    expect(failure(() => run(present, "init"))).toMatchObject({ code: "FENCE_CONFIG", message: `${path} exists` });
  });

  test("not from a template that does not exist", () => {
    const error = failure(() => run({}, "init", "-t", "cod"));
    expect(error).toMatchObject({ code: "FENCE_USAGE", details: { hint: "did you mean code?" } });
  });
});

test("fence config schema is the published schema", () => {
  expect(JSON.parse(run({}, "schema").output)).toEqual(settingsJsonSchema());
});

test("fence config templates has a line for each", () => {
  const lines = run({}, "templates").output.trimEnd().split("\n");
  expect(lines.map((line) => line.split(" ")[0])).toEqual([...templateNames]);
  for (const line of lines) expect(line.length).toBeLessThan(130);
});

test.for([[], ["--help"], ["-h"], ["show", "--help"], ["init", "-h"]])("%j prints the help", (args) => {
  expect(run({}, ...args).output).toMatch(/^Usage: fence config show/);
});

test.for<[args: string[], says: string]>([
  [["sho"], 'fence config must be followed by show, init, schema, templates, got "sho"'],
  [["show", "x"], 'nothing must follow fence config show, got "x"'],
  [["show", "--user"], 'unknown option "--user"'],
  [["schema", "--json"], 'unknown option "--json"'],
  [["init", "-s", "x"], 'unknown option "-s"'],
  [["show", "-s", "x", "-t", "code"], "--settings and --template exclude each other"],
])("%j is refused", ([args, says]) => {
  expect(failure(() => parseConfig(args))).toMatchObject({ code: "FENCE_USAGE", message: says });
});
