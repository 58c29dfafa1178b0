import { describe, expect, test } from "vitest";
import { foundGrants } from "../../../src/config/found-grants.ts";
import { type Settings, settingsSchema } from "../../../src/config/keys.ts";
import type { Source } from "../../../src/config/layers.ts";
import { noOverrides } from "../../../src/config/overrides.ts";

const asked = {
  ...{ settings: null, template: null, overrides: noOverrides },
  ...{ home: "/home/u", directory: "/src/repo/sub", environment: {} },
};
const repository: Source = { kind: "file", path: "/src/repo/fence.json" };
const read = (settings: object): Settings => settingsSchema.parse(settings, "settings");
const grants = (settings: object, source: Source = repository, changed = {}) =>
  foundGrants([{ source, settings: read(settings) }], { ...asked, ...changed })?.grants ?? [];

describe("settings that were found in a directory", () => {
  test.for<[string, object, readonly string[]]>([
    ["nothing", {}, []],
    ["their own directory", { filesystem: { allowWrite: [".", "/src/repo/build", "./**/out"] } }, []],
    ["denials", { filesystem: { denyRead: ["~"] }, network: { deniedDomains: ["*"] } }, []],
    ["hosts, through a proxy", { network: { allowedDomains: ["example.com"] } }, []],
    ["strict isolation", { isolation: "strict" }, []],
    ["places elsewhere", { filesystem: { allowWrite: ["~", "..", "/src/repository"] } }, ["writing ~"]],
    ["the host's network", { network: { allowedDomains: ["*"] } }, ["the host's network"]],
    ["sockets", { network: { allowUnixSockets: ["/run/docker.sock"] } }, ["the Unix socket /run/docker.sock"]],
    ["all sockets", { network: { allowAllUnixSockets: true } }, ["every Unix socket"]],
    ["ports", { network: { allowLocalOutboundPorts: [5432, 22] } }, ["ports 5432, 22 of the host"]],
    ["devices", { devices: { mode: "host" } }, ["devices of the host"]],
    ["less isolation", { isolation: { pid: "off" } }, ["less isolation"]],
    ["Windows", { filesystem: { wslInterop: true } }, ["Windows programs"]],
  ])("%s", ([, settings, expected]) => {
    const found = grants(settings);
    if (expected.length === 0) expect(found).toEqual([]);
    else expect(found).toEqual(expect.arrayContaining([...expected]));
  });

  test("name each place elsewhere", () => {
    expect(grants({ filesystem: { allowWrite: ["~", "/src/repository", "/src/repo"] } })).toEqual([
      "writing ~",
      "writing /src/repository",
    ]);
  });

  test("say nothing when they were named, or are the user's own, or a template", () => {
    const all = { network: { allowedDomains: ["*"] } };
    expect(grants(all, repository, { settings: "/src/repo/fence.json" })).toEqual([]);
    expect(grants(all, repository, { template: "code" })).toEqual([]);
    expect(grants(all, { kind: "file", path: "/home/u/.config/fence/fence.json" })).toEqual([]);
    expect(grants(all, { kind: "template", name: "code" })).toEqual([]);
    expect(grants(all, { kind: "options" })).toEqual([]);
  });
});
