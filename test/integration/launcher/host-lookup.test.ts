import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { candidates, hostsAddresses, isHostName, lookUp } from "../../../src/launcher/host-lookup.ts";
import { parseProxyTarget, resolveTarget } from "../../../src/launcher/proxy-target.ts";

const hosts = `127.0.0.1 localhost
# 10.0.0.9 proxy
10.0.0.1	Proxy proxy.corp # the first one
10.0.0.2 other
2001:DB8::0:1 proxy
10.0.0.1 proxy
fe80::1%eth0 proxy
not-an-address proxy
`;

describe("a name", () => {
  test("of /etc/hosts has the addresses that stand there, once each, in their order", async () => {
    expect(hostsAddresses(hosts, "proxy")).toEqual(["10.0.0.1", "2001:db8::1"]);
    expect(await lookUp("PROXY.", files({ hosts }), answering({}))).toEqual(["10.0.0.1", "2001:db8::1"]);
    expect(hostsAddresses(hosts, "missing")).toEqual([]);
  });

  test.for(["localhost", "db.localhost", "LOCALHOST."])("%s is this host, whatever the servers say", async (name) => {
    expect(await lookUp(name, files({}), answering({ [name]: ["10.0.0.1"] }))).toEqual(["127.0.0.1", "::1"]);
  });

  test("that DNS knows has its IPv4 addresses first", async () => {
    const resolver = answering({ "proxy.example": ["2001:db8::1", "10.0.0.1", "10.0.0.2"] });
    expect(await lookUp("proxy.example", files({}), resolver)).toEqual(["10.0.0.1", "10.0.0.2", "2001:db8::1"]);
  });

  test("with one kind of address has it even when the servers fail for the other", async () => {
    const resolver = { resolve4: failing("ESERVFAIL"), resolve6: async () => ["2001:db8::1"] };
    expect(await lookUp("proxy.example", files({}), resolver)).toEqual(["2001:db8::1"]);
  });

  test("that nobody knows has none; when the servers do not answer that is an error", async () => {
    expect(await lookUp("proxy.example", files({}), answering({}))).toEqual([]);
    const silent = { resolve4: failing("ETIMEOUT"), resolve6: failing("ENODATA") };
    await expect(lookUp("proxy.example", files({}), silent)).rejects.toMatchObject({
      code: "FENCE_RESOLVE",
      message: "cannot resolve proxy.example: the DNS servers answered ETIMEOUT",
    });
  });

  test("is tried in the domains of the search list, as resolv.conf(5) says", async () => {
    const resolver = "domain old\nsearch corp.example. example\noptions timeout:1 ndots:2 rotate\n";
    expect(candidates("proxy", resolver)).toEqual(["proxy.corp.example", "proxy.example", "proxy"]);
    expect(candidates("proxy.a", resolver)).toEqual(["proxy.a.corp.example", "proxy.a.example", "proxy.a"]);
    expect(candidates("proxy.a.b", resolver)).toEqual(["proxy.a.b", "proxy.a.b.corp.example", "proxy.a.b.example"]);
    expect(candidates("proxy.", resolver)).toEqual(["proxy"]);
    expect(candidates("proxy", "")).toEqual(["proxy"]);
    const found = lookUp("proxy", files({ resolver }), answering({ "proxy.example": ["10.0.0.1"] }));
    expect(await found).toEqual(["10.0.0.1"]);
  });

  test.for<[text: string, is: boolean]>([
    ["proxy", true],
    ["proxy_1.corp-a.example.", true],
    ["a".repeat(63), true],
    ["a".repeat(64), false],
    ["10.0.0.1", false],
    ["1.2.3", false],
    ["2130706433", false],
    ["-a", false],
    ["a..b", false],
    ["", false],
    ["a b", false],
    ["a/b", false],
    ["user@host", false],
  ])("%s: %s", ([text, is]) => {
    expect(isHostName(text)).toBe(is);
  });
});

describe("a proxy", () => {
  test("may be named by an address, a path or a name", () => {
    expect(parseProxyTarget("tcp:127.0.0.1:3128", "--http-proxy")).toEqual({
      kind: "tcp",
      host: "127.0.0.1",
      port: 3128,
    });
    expect(parseProxyTarget("tcp:localhost:1", "--http-proxy")).toEqual({ kind: "tcp", host: "127.0.0.1", port: 1 });
    expect(parseProxyTarget("tcp:[::1]:1", "--http-proxy")).toEqual({ kind: "tcp", host: "::1", port: 1 });
    expect(parseProxyTarget("unix:/run/p", "--http-proxy")).toEqual({ kind: "unix", path: "/run/p" });
    expect(parseProxyTarget("tcp:proxy.corp:80", "--http-proxy")).toEqual({
      kind: "name",
      name: "proxy.corp",
      port: 80,
    });
  });

  test.for<[value: string, says: string]>([
    ["tcp:proxy.corp:0", "--http-proxy must be tcp:HOST:PORT with a port from 1 to 65535"],
    ["tcp:proxy.corp:http", "--http-proxy must be tcp:HOST:PORT with a port from 1 to 65535"],
    ["tcp:256.0.0.1:80", "--http-proxy must be tcp:HOST:PORT with an IPv4 address"],
    ["http://user:word@proxy:80", '--http-proxy must be tcp:HOST:PORT or unix:PATH, got "http://[secret]@proxy:80"'],
  ])("%s is none", ([value, says]) => {
    expect(() => parseProxyTarget(value, "--http-proxy")).toThrow(says);
  });

  test("that has no address is an error that names it", async () => {
    const target = { kind: "name", name: "proxy.corp", port: 80 } as const;
    await expect(resolveTarget(target, async () => [])).rejects.toMatchObject({
      code: "FENCE_RESOLVE",
      message: "cannot resolve proxy.corp: it has no address",
    });
    expect(await resolveTarget(target, async () => ["10.0.0.1", "::1"])).toEqual([
      { kind: "tcp", host: "10.0.0.1", port: 80 },
      { kind: "tcp", host: "::1", port: 80 },
    ]);
    expect(await resolveTarget({ kind: "unix", path: "/p" }, async () => [])).toEqual([{ kind: "unix", path: "/p" }]);
  });
});

function files({ hosts: text = "", resolver = "" }: { readonly hosts?: string; readonly resolver?: string }) {
  const folder = mkdtempSync(join(tmpdir(), "fh-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const paths = { hosts: join(folder, "hosts"), resolver: join(folder, "resolv.conf") };
  writeFileSync(paths.hosts, text);
  if (resolver !== "") writeFileSync(paths.resolver, resolver);
  return paths;
}

/** DNS servers that know these names. */
function answering(known: Readonly<Record<string, readonly string[]>>) {
  const ask = (kind: (address: string) => boolean) => async (name: string) => {
    const found = known[name]?.filter(kind) ?? [];
    if (found.length > 0) return found;
    throw Object.assign(new Error(), { code: known[name] === undefined ? "ENOTFOUND" : "ENODATA" });
  };
  return { resolve4: ask((address) => !address.includes(":")), resolve6: ask((address) => address.includes(":")) };
}

function failing(code: string) {
  return async (): Promise<readonly string[]> => {
    throw Object.assign(new Error(), { code });
  };
}
