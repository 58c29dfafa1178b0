import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { maxDescriptor } from "../../../src/base/option-values.ts";
import { optionNames } from "../../../src/bootstrap/command-line.ts";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import { maxSocketPathBytes } from "../../../src/bridge/address.ts";
import type { BridgeStatistics } from "../../../src/bridge/bridge.ts";
import { maxBridges } from "../../../src/bridge/bridge-set.ts";
import { environmentChange } from "../../../src/inside/environment.ts";
import { maxPlanBytes, parseJsonPlan } from "../../../src/inside/json-plan.ts";
import { maxLimit, maxPort } from "../../../src/inside/plan-schema.ts";
import { resourceLimits } from "../../../src/inside/resource-limits.ts";
import { failed, type Isolation, type StatusEvent, starting } from "../../../src/inside/status.ts";
import { errata } from "../../../src/landlock/errata.ts";
import { describeLandlock } from "../../../src/landlock/report.ts";
import { emptyRequest } from "../../../src/landlock/request.ts";
import { chooseRuleset } from "../../../src/landlock/ruleset.ts";
import { execPlanFormat } from "../../../src/plan/exec-plan-bytes.ts";
import { maxDepth } from "../../../src/plan/json.ts";
import { maxPathBytes } from "../../../src/plan/schema.ts";
import { docExamples, docTable, docText } from "../../kit/docs.ts";

test("docs/options.md names the options, each and no other", () => {
  const named = docText("options.md").match(/(?<=`)--[a-z-]+/g) ?? [];
  expect([...new Set(named)].toSorted()).toEqual(optionNames.map((name) => `--${name}`).toSorted());
});

describe("docs/plan.md", () => {
  const nowhere = { kind: "original", first: 2, argv: [] } as const;
  const rows = docTable("plan.md", "key");
  const parse = (plan: object) => parseJsonPlan(JSON.stringify({ version: 1, ...plan }), nowhere);

  test("lists the keys, each and no other", () => {
    expect(rows.map(([key]) => key)).toEqual(knownKeys());
  });

  /** The hint of a far-fetched key is the list of all. */
  function knownKeys(): readonly string[] {
    try {
      parse({ "a key that is like none": 1 });
    } catch (error) {
      if (error instanceof FenceError) return (error.details.hint ?? "").replace("valid: ", "").split(", ");
    }
    return [];
  }

  test("gives the defaults that absent keys have", () => {
    for (const [key = "", , value = ""] of rows) {
      if (key === "version") expect(value).toBe("required");
      else expect({ key, request: parse({ [key]: JSON.parse(value) }) }).toEqual({ key, request: parse({}) });
    }
  });

  test("names options that exist, and all that a plan can replace", () => {
    const named = rows.flatMap((row) => row[3]?.match(/[a-z]+(?:-[a-z]+)*/g) ?? []);
    expect(named.filter((name) => !optionNames.some((option) => option === name))).toEqual([]);
    const others = ["plan", "plan-fd", "status-fd", "debug", "help", "clear-env", "rox", "rw", "rwx"];
    expect(optionNames.filter((option) => !named.includes(option) && !others.includes(option))).toEqual([]);
  });

  test("shows a plan that has every key", () => {
    const [example] = docExamples("plan.md");
    expect(Object.keys(example as object)).toEqual(knownKeys());
    const request = parse(example as object);
    expect(request.program.argv).toEqual(["npm", "ci"]);
    expect(request.bridges).toHaveLength(4);
  });

  test("names the resource limits, each and no other", () => {
    const [, names = ""] = /The names are (.*?), as in/s.exec(docText("plan.md")) ?? [];
    expect(names.match(/(?<=`)[a-z]+(?=`)/g)).toEqual(resourceLimits);
  });

  const bridgesAt = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ listen: `unix:/${i}`, connect: "unix:/t" }));
  const listener = (port: number) => ({ bridges: [{ listen: `tcp:127.0.0.1:${port}`, connect: "unix:/t" }] });
  const path = (bytes: number) => `/${"x".repeat(bytes - 1)}`;
  const nested = (depth: number) => `{"version":1,"program":${"[".repeat(depth - 1)}`;
  const octal = (mask: number) => ({ umask: `0${mask.toString(8)}` });
  const cpu = (hard: number) => ({ rlimits: { cpu: { soft: 0, hard } } });

  interface Limit {
    readonly value: string;
    readonly inside: readonly object[];
    readonly outside: readonly object[];
  }

  const given = (fd: number) => ({ bridges: [{ listen: `fd:${fd}`, connect: "unix:/t" }] });
  const limits: Readonly<Record<string, Limit>> = {
    "bridges, those of the proxies included": {
      value: String(maxBridges),
      inside: [{ bridges: bridgesAt(maxBridges) }, { httpProxy: "unix:/p", bridges: bridgesAt(maxBridges - 1) }],
      outside: [{ bridges: bridgesAt(maxBridges + 1) }, { httpProxy: "unix:/p", bridges: bridgesAt(maxBridges) }],
    },
    "path of an address": {
      value: `${maxSocketPathBytes} bytes`,
      inside: [{ httpProxy: `unix:${path(maxSocketPathBytes)}` }],
      outside: [{ httpProxy: `unix:${path(maxSocketPathBytes + 1)}` }],
    },
    "descriptor of `fd:N`": {
      value: `3 to ${maxDescriptor}`,
      inside: [given(3), given(maxDescriptor)],
      outside: [given(2), given(maxDescriptor + 1)],
    },
    "any other path": {
      value: `${maxPathBytes} bytes`,
      inside: [{ chdir: path(maxPathBytes) }, { rules: [{ access: "ro", path: path(maxPathBytes) }] }],
      outside: [
        { chdir: path(maxPathBytes + 1) },
        { rules: [{ access: "ro", path: path(maxPathBytes + 1) }] },
        { unixSockets: [path(maxPathBytes + 1)] },
      ],
    },
    "port of an address, and of `connectTcp`": {
      value: `1 to ${maxPort}`,
      inside: [listener(1), listener(maxPort), { connectTcp: [1, maxPort] }],
      outside: [listener(0), listener(maxPort + 1), { connectTcp: [0] }, { connectTcp: [maxPort + 1] }],
    },
    "port of `bindTcp`": {
      value: `0 to ${maxPort}`,
      inside: [{ bindTcp: [0, maxPort] }],
      outside: [{ bindTcp: [-1] }, { bindTcp: [maxPort + 1] }],
    },
    umask: { value: "0 to 0777", inside: [octal(0), octal(0o777)], outside: [octal(0o1000)] },
    "resource limit": {
      value: `0 to ${maxLimit}`,
      inside: [cpu(0), cpu(maxLimit)],
      outside: [cpu(-1), cpu(maxLimit + 1)],
    },
  };

  /** Limits of the text itself. */
  const others = {
    "size of a plan, in UTF-8": `${maxPlanBytes / 2 ** 20} MiB`,
    "lists and objects in each other": String(maxDepth),
    "plan, when it is compiled for the last steps": `${execPlanFormat.maxBytes / 2 ** 20} MiB`,
  };

  test("gives the limits, each and no other", () => {
    const values = Object.entries(limits).map(([limit, { value }]) => [limit, value]);
    expect(Object.fromEntries(docTable("plan.md", "limit"))).toEqual({ ...Object.fromEntries(values), ...others });
  });

  test.for(Object.entries(limits))("%s holds", ([, { inside, outside }]) => {
    for (const plan of inside) expect(parse(plan).program).toEqual(nowhere);
    for (const plan of outside) expect(() => parse(plan)).toThrow(FenceError);
  });

  test("lists and objects in each other are counted with the plan itself", () => {
    const refused = "the plan must have lists and objects in each other at most 16 deep";
    expect(() => parseJsonPlan(nested(maxDepth + 1), nowhere)).toThrow(refused);
    expect(() => parseJsonPlan(nested(maxDepth), nowhere)).toThrow("the plan is not JSON");
  });
});

describe("docs/environment.md", () => {
  test("lists the variables that fence sets or repairs, and their values", () => {
    const request = parseBootstrap(["--http-proxy", "unix:/h", "--socks-proxy", "unix:/s", "program"], 2).request;
    const inherited = { TMPDIR: "/gone", XDG_RUNTIME_DIR: "/gone", HOME: "/gone" };
    const facts = { isDirectory: () => false, isWritableDirectory: (path: string) => path === "/tmp" };
    const changes = environmentChange(request, inherited, facts).steps.map((step) => {
      if (step.kind === "clear-env") throw new Error("everything is cleared");
      return [step.name, step.kind === "set-env" ? step.value : "removed"];
    });
    const listed = docTable("environment.md", "variable").flatMap(([names = "", value = ""]) => {
      const [, quoted = value] = /^`([^`]*)`/.exec(value) ?? [];
      return names.split(/`? `?/).map((name) => [name.replaceAll("`", ""), quoted]);
    });
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(changes));
  });
});

describe("docs/status.md", () => {
  const examples = docExamples("status.md") as readonly (Record<string, unknown> & { event: string })[];
  const example = (event: StatusEvent["event"]) => examples.find((candidate) => candidate.event === event) ?? {};
  const shape = (value: object) => Object.keys(value).toSorted();
  const everyEvent = { starting: 1, verified: 1, ready: 1, failed: 1, "bridges-crashed": 1, ended: 1 } satisfies Record<
    StatusEvent["event"],
    1
  >;

  test("lists every event, and shows one of each", () => {
    expect(docTable("status.md", "event").map(([event]) => event)).toEqual(Object.keys(everyEvent));
    expect(examples.map(({ event }) => event)).toEqual(Object.keys(everyEvent));
  });

  test("shows the members that the reports have", () => {
    expect(shape(example("starting"))).toEqual(shape(starting));
    expect(shape(example("failed"))).toEqual(shape(failed(new FenceError("FENCE_USAGE", "x"))));
    const ready = example("ready") as { isolation: Isolation; repaired: object[]; bridges: object[] };
    const landlock = describeLandlock(chooseRuleset(emptyRequest, 1, "required"), 0);
    expect(shape(ready)).toEqual(["bridges", "event", "isolation", "repaired"]);
    expect(shape(ready.isolation)).toEqual(["bridgeProcess", "landlock", "noNewPrivs", "seccomp"]);
    expect(shape(ready.isolation.landlock)).toEqual(shape({ ...landlock, skippedPaths: [] }));
    expect(ready.isolation.landlock.errata.map(({ number }) => number)).toEqual([errata.at(-1)?.number]);
  });

  test("shows a bridge's statistics", () => {
    const statistics: BridgeStatistics = {
      listen: "",
      connect: "",
      accepted: 0,
      refused: 0,
      open: 0,
      bytesToTarget: 0,
      bytesToClient: 0,
    };
    const { bridges } = example("ended") as { bridges: object[] };
    expect(bridges.map(shape)).toEqual([shape(statistics)]);
  });

  test("explains every member of the ready report", () => {
    const explained = docTable("status.md", "member").map(([member = ""]) => member);
    const { isolation } = example("ready") as { isolation: Isolation };
    const members = [
      ...Object.keys(isolation.landlock).map((name) => `isolation.landlock.${name}`),
      "isolation.seccomp",
      "isolation.noNewPrivs",
      "isolation.bridgeProcess",
      "bridges",
      "repaired",
    ];
    expect(explained).toEqual(members);
  });
});
