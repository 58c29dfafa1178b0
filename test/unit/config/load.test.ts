import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FenceError } from "../../../src/base/errors.ts";
import { isolationLayers } from "../../../src/plan/policy.ts";
import { failure } from "../../kit/errors.ts";
import { type Launch, load, type Tree } from "../../kit/settings.ts";
import { strayPaths, validSettings } from "../../kit/settings-values.ts";

const project = "/work/project/fence.json";
const user = "/home/user/.config/fence/fence.json";
const refusal = (tree: Tree, launch?: Launch) => {
  const error = failure(() => load(tree, launch));
  expect(error.code).toBe("FENCE_CONFIG");
  return error;
};
const hosts = (tree: Tree, launch?: Launch) => load(tree, launch).policy.network.allowedDomains;
const saying = (host: string, more: object = {}) => ({ network: { allowedDomains: [host] }, ...more });

test("without settings everything is denied that can be, and all layers are required", () => {
  const { policy, notes, sources } = load({});
  expect({ notes, sources }).toEqual({ notes: [], sources: [] });
  expect(policy).toEqual({
    allowPty: false,
    forceNewSession: false,
    network: {
      allowedDomains: [],
      deniedDomains: [],
      defaultAction: "deny",
      allowUnixSockets: [],
      allowAllUnixSockets: false,
      allowLocalBinding: false,
      allowLocalOutbound: false,
      allowLocalOutboundPorts: [],
      httpProxyPort: null,
      socksProxyPort: null,
      upstreamProxy: null,
    },
    filesystem: {
      defaultDenyRead: false,
      strictDenyRead: false,
      wslInterop: null,
      allowRead: [],
      allowExecute: [],
      denyRead: [],
      allowWrite: [],
      denyWrite: [],
      allowGitConfig: false,
      mask: [],
      decoys: [],
      restore: [],
    },
    devices: { mode: "auto", allow: [] },
    command: {
      deny: [],
      allow: [],
      useDefaults: true,
      acceptSharedBinaryCannotRuntimeDeny: [],
      runtimeExecPolicy: "path",
    },
    ssh: {
      allowedHosts: [],
      deniedHosts: [],
      allowedCommands: [],
      deniedCommands: [],
      allowAllCommands: false,
      inheritDeny: false,
    },
    isolation: Object.fromEntries(isolationLayers.map((layer) => [layer, "required"])),
  });
});

describe("which file is read:", () => {
  const all: Tree = {
    [project]: saying("project.example"),
    "/work/fence.jsonc": saying("above.example"),
    [user]: saying("user.example"),
    "/etc/company.json": saying("company.example"),
  };
  const without = (...paths: string[]) =>
    Object.fromEntries(Object.entries(all).filter(([path]) => !paths.includes(path)));

  test.for<[what: string, tree: Tree, launch: Launch, host: string]>([
    ["the one in the working directory", all, {}, "project.example"],
    ["the nearest above it", without(project), {}, "above.example"],
    ["the user's own where none is above", without(project, "/work/fence.jsonc"), {}, "user.example"],
    ["the one of --settings", all, { settings: "/etc/company.json" }, "company.example"],
    ["the one of --settings, from the working directory", all, { settings: "../fence.jsonc" }, "above.example"],
    ["the one in the root", { "/fence.json": saying("root.example") }, {}, "root.example"],
    [
      "the user's own in XDG_CONFIG_HOME",
      { "/xdg/fence/fence.jsonc": saying("xdg.example"), [user]: saying("user.example") },
      { environment: { XDG_CONFIG_HOME: "/xdg" } },
      "xdg.example",
    ],
    [
      "the user's own in ~/.config when XDG_CONFIG_HOME is relative",
      { [user]: saying("user.example") },
      { environment: { XDG_CONFIG_HOME: "xdg" } },
      "user.example",
    ],
  ])("%s", ([, tree, launch, host]) => {
    expect(hosts(tree, launch)).toEqual([host]);
  });

  test("none for --template", () => {
    const { sources } = load(all, { template: "code-strict" });
    expect(sources).toEqual([
      { kind: "template", name: "code" },
      { kind: "template", name: "code-strict" },
    ]);
  });

  test("none without a home directory", () => {
    expect(load({}, { home: "" }).sources).toEqual([]);
  });
});

describe("these are errors:", () => {
  const stranger = { kind: "file", bytes: Buffer.from("{}"), owners: [1234] } as const;

  test.for<[what: string, tree: Tree, launch: Launch, says: RegExp]>([
    [
      "both names in one directory",
      { [project]: {}, "/work/project/fence.jsonc": {} },
      {},
      /^both \/work\/project\/fence.jsonc and \/work\/project\/fence.json exist$/,
    ],
    [
      "a directory with the name",
      { [project]: { kind: "other", is: "a directory" } },
      {},
      /regular file, but is a directory$/,
    ],
    ["a file that is too large", { [project]: { kind: "too-large" } }, {}, /at most 1048576 bytes$/],
    ["a file of another user", { [project]: stranger }, {}, /belongs to another user \(uid 1234\)$/],
    [
      "another user's link to an own file",
      { [project]: { ...stranger, owners: [1000, 1234] } },
      {},
      /belongs to another user \(uid 1234\)$/,
    ],
    [
      "bytes that are not UTF-8",
      { [project]: { ...stranger, bytes: Buffer.of(0xff), owners: [0] } },
      {},
      /must be UTF-8/,
    ],
    ["--settings that does not exist", {}, { settings: "x.json" }, /^\/work\/project\/x.json does not exist$/],
    ["a template that does not exist", {}, { template: "cod" }, /^--template must be a template, got "cod"$/],
    ["an empty file", { [project]: "" }, {}, /is empty$/],
    ["a file of comments", { [project]: "// nothing\n" }, {}, /is empty$/],
    [
      "~ without a home directory",
      { [project]: { filesystem: { allowRead: ["~/x"] } } },
      { home: "" },
      /^~ stands for the home/,
    ],
    [
      "one file with two decoys",
      {
        [project]: {
          filesystem: {
            decoys: [
              { path: "~/.x", kind: "token" },
              { path: "/home/user/.x", kind: "npmrc" },
            ],
          },
        },
      },
      {},
      /must name each file once, got "\/home\/user\/.x" twice$/,
    ],
    [
      "defaultAction without a proxy",
      { [project]: { network: { defaultAction: "proxy" } } },
      {},
      /must stand beside network.upstreamProxy$/,
    ],
  ])("%s", ([, tree, launch, says]) => {
    expect(refusal(tree, launch).message).toMatch(says);
  });

  test("but a file of root, and a named file of another user, are read", () => {
    const bytes = Buffer.from(JSON.stringify(saying("a.example")));
    expect(hosts({ [project]: { kind: "file", bytes, owners: [0] } })).toEqual(["a.example"]);
    expect(hosts({ "/x": { kind: "file", bytes, owners: [1234] } }, { settings: "/x" })).toEqual(["a.example"]);
  });
});

describe("extends", () => {
  test("reads a file beside the one that names it, the user's own, and templates, base first", () => {
    const tree: Tree = {
      [project]: saying("project.example", { extends: "./shared/base.json" }),
      "/work/project/shared/base.json": saying("shared.example", { extends: "../../top.json" }),
      "/work/top.json": saying("top.example", { extends: "@base" }),
      [user]: saying("user.example", { extends: "local-dev-server" }),
    };
    const { policy, sources } = load(tree);
    expect(policy.network.allowedDomains).toEqual(["user.example", "top.example", "shared.example", "project.example"]);
    expect(policy.network.allowLocalBinding).toBe(true);
    expect(sources).toEqual([
      { kind: "template", name: "local-dev-server" },
      { kind: "file", path: user },
      { kind: "file", path: "/work/top.json" },
      { kind: "file", path: "/work/project/shared/base.json" },
      { kind: "file", path: project },
    ]);
  });

  test("@base is nothing when the user has no settings", () => {
    expect(load({ [project]: { extends: "@base" } }).sources).toEqual([{ kind: "file", path: project }]);
  });

  test("a path may begin with ~", () => {
    expect(hosts({ [project]: { extends: "~/x.json" }, "/home/user/x.json": saying("home.example") })).toEqual([
      "home.example",
    ]);
  });

  test("a cycle is refused, and shown", () => {
    const tree = { [project]: { extends: "./b.json" }, "/work/project/b.json": { extends: "../project/fence.json" } };
    expect(refusal(tree).message).toBe(
      `the chain of extends leads back to itself: ${project} -> /work/project/b.json -> ${project}`,
    );
    expect(refusal({ [user]: { extends: "@base" } }).message).toContain(`${user} -> ${user}`);
  });

  test("a chain has at most ten links", () => {
    const chain = (length: number): Tree =>
      Object.fromEntries(
        Array.from({ length: length + 1 }, (_, i) => [`/c/${i}`, i === length ? {} : { extends: `./${i + 1}` }]),
      );
    expect(load(chain(10), { settings: "/c/0" }).sources).toHaveLength(11);
    expect(refusal(chain(11), { settings: "/c/0" }).message).toMatch(
      /^the chain of extends must have at most 10 links: /,
    );
  });

  test("a file without its directory is taken for a template, and the hint says so", () => {
    const error = refusal({ [project]: { extends: "base.json" } });
    expect(error.details.hint).toBe("a file is named with its directory: ./base.json");
  });
});

describe("merging", () => {
  const merged = (base: object, file: object) =>
    load({ [project]: { ...file, extends: "./base.json" }, "/work/project/base.json": base });

  test("lists append, and the first of equal items stays", () => {
    const network = (...allowedDomains: string[]) => ({ network: { allowedDomains } });
    const { policy } = merged(network("a.example", "b.example"), network("c.example", "A.example"));
    expect(policy.network.allowedDomains).toEqual(["a.example", "b.example", "c.example"]);
  });

  test("paths that mean the same count once", () => {
    const { policy } = merged(
      { filesystem: { allowWrite: ["."] } },
      { filesystem: { allowWrite: ["/work/project/"] } },
    );
    expect(policy.filesystem.allowWrite).toEqual(["/work/project"]);
  });

  test("true stays true, and whoever said false is told", () => {
    const says = (allowGitConfig: boolean) => ({ filesystem: { allowGitConfig } });
    const { policy, notes } = merged(says(true), says(false));
    expect(policy.filesystem.allowGitConfig).toBe(true);
    expect(notes).toEqual([
      {
        where: "filesystem.allowGitConfig",
        says: `is true: /work/project/base.json says so, and false in ${project} cannot take it back`,
      },
    ]);
  });

  test.for<[key: string, base: object, file: object, policy: object]>([
    ["a word", { devices: { mode: "host" } }, { devices: { mode: "minimal" } }, { devices: { mode: "minimal" } }],
    ["a port", { network: { httpProxyPort: 1 } }, { network: { httpProxyPort: 2 } }, { network: { httpProxyPort: 2 } }],
    [
      "false over true where null is a value",
      { command: { useDefaults: true } },
      { command: { useDefaults: false } },
      { command: { useDefaults: false } },
    ],
    [
      "null says nothing",
      { command: { useDefaults: false } },
      { command: { useDefaults: null } },
      { command: { useDefaults: false } },
    ],
    [
      "a URL",
      { network: { upstreamProxy: "http://a" } },
      { network: { upstreamProxy: "http://b" } },
      { network: { upstreamProxy: "http://b" } },
    ],
  ])("the last decides: %s", ([, base, file, policy]) => {
    expect(merged(base, file).policy).toMatchObject(policy);
  });

  test("isolation: a word speaks of all layers, an object of those it names", () => {
    expect(merged({ isolation: "best-effort" }, { isolation: { network: "required" } }).policy.isolation).toMatchObject(
      {
        network: "required",
        mount: "best-effort",
      },
    );
    expect(
      merged({ isolation: { pid: "off", uts: "best-effort" } }, { isolation: { uts: "off" } }).policy.isolation,
    ).toMatchObject({
      pid: "off",
      uts: "off",
      mount: "required",
    });
    expect(
      new Set(Object.values(merged({ isolation: { pid: "off" } }, { isolation: "strict" }).policy.isolation)),
    ).toEqual(new Set(["required"]));
  });

  test("strictDenyRead implies defaultDenyRead, and allowLocalBinding allowLocalOutbound", () => {
    expect(load({ [project]: { filesystem: { strictDenyRead: true } } }).policy.filesystem.defaultDenyRead).toBe(true);
    const outbound = (network: object) => load({ [project]: { network } }).policy.network.allowLocalOutbound;
    expect(outbound({ allowLocalBinding: true })).toBe(true);
    expect(outbound({ allowLocalBinding: true, allowLocalOutbound: false })).toBe(false);
  });
});

describe("the options come on top", () => {
  test("each of them", () => {
    const { policy, sources } = load(
      { [project]: { network: { allowedDomains: ["a.example"] }, isolation: { pid: "off" } } },
      {
        overrides: {
          isolation: "strict",
          forceNewSession: true,
          allowRead: ["r"],
          allowExecute: ["~/x"],
          allowWrite: ["."],
          denyRead: ["/d"],
          denyWrite: ["/w"],
          mask: ["/m"],
          allowedDomains: ["b.example"],
          deniedDomains: ["c.example"],
          localPorts: [5432],
        },
      },
    );
    expect(policy).toMatchObject({
      forceNewSession: true,
      network: {
        allowedDomains: ["a.example", "b.example"],
        deniedDomains: ["c.example"],
        allowLocalOutbound: true,
        allowLocalOutboundPorts: [5432],
      },
      filesystem: {
        allowRead: ["/work/project/r"],
        allowExecute: ["/home/user/x"],
        allowWrite: ["/work/project"],
        denyRead: ["/d"],
        mask: ["/m"],
      },
      isolation: { pid: "required" },
    });
    expect(policy.filesystem.denyWrite).toContain("/w");
    expect(sources.at(-1)).toEqual({ kind: "options" });
  });

  test("and a bad value is FENCE_USAGE that names the option", () => {
    const error = failure(() => load({}, { overrides: { allowedDomains: ["http://x"] } }));
    expect(error).toMatchObject({
      code: "FENCE_USAGE",
      message: '--allow-domain must be a host pattern, without a scheme or a path, got "http://x"',
    });
  });
});

describe("paths", () => {
  const written = (path: string, launch?: Launch) =>
    load({ "/s": { filesystem: { allowRead: [path] } } }, { settings: "/s", ...launch }).policy.filesystem.allowRead;

  test.for<[given: string, absolute: string]>([
    [".", "/work/project"],
    ["./", "/work/project"],
    ["..", "/work"],
    ["a/./b//c/", "/work/project/a/b/c"],
    ["**/.env", "/work/project/**/.env"],
    ["~", "/home/user"],
    ["~/a", "/home/user/a"],
    ["~/.ssh/id_*", "/home/user/.ssh/id_*"],
    ["//a//b", "/a/b"],
    ["/../..", "/"],
    ["/", "/"],
    ["./~", "/work/project/~"],
    ["./$x", "/work/project/$x"],
  ])("%s is %s", ([given, absolute]) => {
    expect(written(given)).toEqual([absolute]);
  });

  test("are taken from the working directory of the launch, whichever file says them", () => {
    const { policy } = load({
      [project]: { extends: "/etc/a.json" },
      "/etc/a.json": { filesystem: { allowWrite: ["x"] } },
    });
    expect(policy.filesystem.allowWrite).toEqual(["/work/project/x"]);
  });

  test("wildcards in the names of the working directory and the home directory mean themselves", () => {
    expect(written("*", { directory: "/work/[a]*?" })).toEqual(["/work/[[]a][*][?]/*"]);
    expect(written("~", { home: "/home/[u]" })).toEqual(["/home/[[]u]"]);
  });
});

test("the settings that were read cannot be written from inside, and the user's own cannot where they are", () => {
  const own = "/home/user/.config/fence";
  const tree: Tree = {
    [project]: { extends: "./b.json", filesystem: { allowWrite: ["/"] } },
    "/work/project/b.json": {},
  };
  const denied = (more: Tree) => load({ ...tree, ...more }).policy.filesystem.denyWrite;
  expect(denied({})).toEqual(["/work/project/b.json", project]);
  expect(denied({ [own]: { kind: "other", is: "a directory" } })).toEqual(["/work/project/b.json", project, own]);
});

test("whatever the settings say, the paths of the policy are absolute and normalised", () => {
  fc.assert(
    fc.property(validSettings, fc.constantFrom("/", "/work/[a]", "/a*"), (settings, directory) => {
      const said = { ...settings, extends: "code-strict" };
      try {
        expect(strayPaths(load({ "/s": said }, { settings: "/s", directory }).policy)).toEqual([]);
      } catch (error) {
        // Two decoys in one place, and defaultAction without a proxy.
        if (!(error instanceof FenceError) || error.code !== "FENCE_CONFIG") throw error;
      }
    }),
  );
  expect(
    strayPaths({ ...load({}).policy, devices: { mode: "auto", allow: ["a", "/a/", "/a/../b", "/a//b", "/"] } }),
  ).toEqual(["a", "/a/", "/a/../b", "/a//b"]);
});

describe("notes", () => {
  test.for<[what: string, settings: object, where: string[]]>([
    ["keys for macOS", { macos: { gpu: true } }, ["macos"]],
    ["allowPty", { allowPty: true }, ["allowPty"]],
    [
      "what nothing enforces",
      { ssh: { inheritDeny: true }, command: { runtimeExecPolicy: "argv" } },
      ["command.runtimeExecPolicy", "ssh.inheritDeny"],
    ],
    [
      "what is for proxies",
      { network: { deniedDomains: ["a"], allowedDomains: ["b"] } },
      ["network.deniedDomains", "network.allowedDomains"],
    ],
    [
      "ports without allowLocalOutbound",
      { network: { allowLocalOutboundPorts: [1] } },
      ["network.allowLocalOutboundPorts"],
    ],
    ["the host's network", { network: { allowedDomains: ["*"] } }, ["network.allowedDomains"]],
    ["devices beside all devices", { devices: { mode: "host", allow: ["/dev/kvm"] } }, ["devices.allow"]],
  ])("%s", ([, settings, where]) => {
    expect(load({ [project]: settings }).notes.map((note) => note.where)).toEqual(where);
  });

  test("name the settings that say it", () => {
    const { notes } = load({
      [project]: { extends: "./b.json", ssh: { allowedHosts: ["b"] } },
      "/work/project/b.json": { ssh: { allowedHosts: ["a"] } },
    });
    expect(notes).toEqual([
      { where: "ssh.allowedHosts", says: expect.stringContaining(`(/work/project/b.json, ${project})`) },
    ]);
  });

  test("none for what says nothing, or the default", () => {
    const settings = {
      macos: { mach: { lookup: [] } },
      $schema: "x",
      command: { runtimeExecPolicy: "path" },
      ssh: { allowedHosts: [] },
    };
    expect(
      load({ [project]: { ...settings, network: { defaultAction: "deny", upstreamProxy: null }, allowPty: false } })
        .notes,
    ).toEqual([]);
  });
});

test("every key of the Go tool is read", () => {
  const keys = {
    extends: "@base",
    allowPty: true,
    forceNewSession: true,
    network: {
      allowedDomains: ["*.npmjs.org"],
      deniedDomains: ["169.254.169.254"],
      allowUnixSockets: ["/var/run/docker.sock"],
      allowAllUnixSockets: true,
      allowLocalBinding: true,
      allowLocalOutbound: true,
      allowLocalOutboundPorts: [5432],
      httpProxyPort: 8080,
      socksProxyPort: 1080,
      upstreamProxy: "http://127.0.0.1:8080",
      defaultAction: "proxy",
    },
    filesystem: {
      defaultDenyRead: true,
      strictDenyRead: true,
      wslInterop: null,
      allowRead: ["."],
      allowExecute: ["/init"],
      denyRead: ["~/.ssh/id_*"],
      allowWrite: ["~/.cache/**"],
      denyWrite: ["**/*.pem"],
      allowGitConfig: true,
    },
    devices: { mode: "minimal", allow: ["/dev/dri"] },
    macos: { mach: { lookup: ["org.chromium.*"], register: ["*"] }, gpu: true },
    command: {
      deny: ["git push"],
      allow: ["git push origin docs"],
      useDefaults: false,
      acceptSharedBinaryCannotRuntimeDeny: ["dd"],
      runtimeExecPolicy: "argv",
    },
    ssh: {
      allowedHosts: ["prod-*.us-east.*"],
      deniedHosts: ["*"],
      allowedCommands: ["ls"],
      deniedCommands: ["rm -rf"],
      allowAllCommands: true,
      inheritDeny: true,
    },
  };
  const { policy, notes } = load({ [project]: keys });
  expect(policy).toMatchObject({
    forceNewSession: true,
    network: keys.network,
    filesystem: { allowWrite: ["/home/user/.cache/**"], denyWrite: ["/work/project/**/*.pem", project] },
    devices: keys.devices,
    command: keys.command,
    ssh: keys.ssh,
  });
  expect(new Set(notes.map(({ where }) => where.split(".")[0]))).toEqual(
    new Set(["network", "command", "ssh", "allowPty", "macos"]),
  );
});
