import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBootstrap } from "../../../src/bootstrap/options.ts";
import { environmentChange, type PathFacts } from "../../../src/inside/environment.ts";

type Environment = Readonly<Record<string, string>>;

/** Every directory is writable. */
const goodPaths: PathFacts = { isDirectory: () => true, isWritableDirectory: () => true };
const only = (writable: readonly string[], readable: readonly string[] = []): PathFacts => ({
  isDirectory: (path) => [...writable, ...readable].includes(path),
  isWritableDirectory: (path) => writable.includes(path),
});

function change(args: readonly string[], inherited: Environment = {}, facts = goodPaths) {
  return environmentChange(parseBootstrap([...args, "program"], 2).request, inherited, facts);
}

/** The environment that the program gets: P0 carries the steps out in this order, native/stub/last-steps.c. */
function result(args: readonly string[], inherited: Environment = {}, facts = goodPaths): Environment {
  const variables = new Map(Object.entries(inherited));
  for (const step of change(args, inherited, facts).steps) {
    if (step.kind === "clear-env") variables.clear();
    else if (step.kind === "unset-env") variables.delete(step.name);
    else variables.set(step.name, step.value);
  }
  return Object.fromEntries(variables);
}

const sandbox = { FENCE_SANDBOX: "1" };
const http = {
  HTTP_PROXY: "http://127.0.0.1:3128",
  HTTPS_PROXY: "http://127.0.0.1:3128",
  http_proxy: "http://127.0.0.1:3128",
  https_proxy: "http://127.0.0.1:3128",
};
const socks = { ALL_PROXY: "socks5h://127.0.0.1:1080", all_proxy: "socks5h://127.0.0.1:1080" };
const direct = { NO_PROXY: "localhost,127.0.0.1,::1", no_proxy: "localhost,127.0.0.1,::1" };
const bothProxies = ["--http-proxy", "unix:/h", "--socks-proxy", "unix:/s"];

describe("fence sets exactly", () => {
  test("FENCE_SANDBOX without a proxy", () => {
    expect(result([])).toEqual(sandbox);
  });

  test("the HTTP variables for an HTTP proxy", () => {
    expect(result(["--http-proxy", "unix:/h"])).toEqual({ ...sandbox, ...http, ...direct });
  });

  test("ALL_PROXY for a SOCKS proxy", () => {
    expect(result(["--socks-proxy", "unix:/s"])).toEqual({ ...sandbox, ...socks, ...direct });
  });

  test("all of them for both", () => {
    expect(result(bothProxies)).toEqual({ ...sandbox, ...http, ...socks, ...direct });
  });

  test("no ALL_PROXY with --no-all-proxy", () => {
    expect(result([...bothProxies, "--no-all-proxy"])).toEqual({ ...sandbox, ...http, ...direct });
  });

  test("NO_PROXY as --no-proxy says, also when that is nothing", () => {
    expect(result([...bothProxies, "--no-proxy", "a,b"])).toMatchObject({ NO_PROXY: "a,b", no_proxy: "a,b" });
    expect(result([...bothProxies, "--no-proxy="])).toMatchObject({ NO_PROXY: "", no_proxy: "" });
  });

  test("the same after --clear-env, and nothing of what was inherited", () => {
    expect(result([...bothProxies, "--clear-env"], { HOME: "/h", TMPDIR: "/gone" }, only([]))).toEqual({
      ...sandbox,
      ...http,
      ...socks,
      ...direct,
    });
  });
});

describe("inherited proxies", () => {
  const inherited = { HTTP_PROXY: "http://host:1", all_proxy: "socks5://host:2", NO_PROXY: "internal", HOME: "/h" };

  test("are replaced, or removed where fence has no proxy of the kind: they are out of the sandbox's reach", () => {
    expect(result(["--http-proxy", "unix:/h"], inherited)).toEqual({ ...sandbox, ...http, ...direct, HOME: "/h" });
    expect(result(["--socks-proxy", "unix:/s"], inherited)).toEqual({ ...sandbox, ...socks, ...direct, HOME: "/h" });
  });

  test("stay when fence has none at all", () => {
    expect(result([], inherited)).toEqual({ ...sandbox, ...inherited });
  });

  test("stay when the user names them", () => {
    expect(result([...bothProxies, "--env", "ALL_PROXY=x", "--unset-env", "all_proxy"], inherited)).toEqual({
      ...sandbox,
      ...http,
      ...direct,
      HOME: "/h",
      ALL_PROXY: "x",
    });
  });
});

describe("what the user names", () => {
  test("wins over what fence sets", () => {
    expect(result(["--env", "FENCE_SANDBOX=mine"])).toEqual({ FENCE_SANDBOX: "mine" });
    expect(result(["--unset-env", "FENCE_SANDBOX"])).toEqual({});
  });

  test("replaces what is inherited, and the last value counts", () => {
    expect(result(["--env", "A=1", "--env", "A=2"], { A: "0" })).toEqual({ ...sandbox, A: "2" });
  });

  test("is kept by --clear-env", () => {
    expect(result(["--env", "A=1", "--clear-env"], { A: "0", B: "0" })).toEqual({ ...sandbox, A: "1" });
  });
});

describe("a repair", () => {
  const inherited = { TMPDIR: "/t", XDG_RUNTIME_DIR: "/run/user/1", HOME: "/home/u" };

  test("is not needed where everything is usable", () => {
    expect(result([], inherited)).toEqual({ ...sandbox, ...inherited });
    expect(change([], inherited).repaired).toEqual([]);
  });

  test("removes TMPDIR and XDG_RUNTIME_DIR when the program cannot write there", () => {
    const facts = only(["/tmp"], ["/t", "/home/u"]);
    expect(result([], inherited, facts)).toEqual({ ...sandbox, HOME: "/home/u" });
    expect(change([], inherited, facts).repaired).toEqual([
      { name: "TMPDIR", to: null },
      { name: "XDG_RUNTIME_DIR", to: null },
    ]);
  });

  test("sends HOME to /tmp when it is no directory, and leaves one that is only readable alone", () => {
    expect(result([], { HOME: "/home/u" }, only(["/tmp"]))).toEqual({ ...sandbox, HOME: "/tmp" });
    expect(change([], { HOME: "/home/u" }, only(["/tmp"])).repaired).toEqual([{ name: "HOME", to: "/tmp" }]);
    expect(result([], { HOME: "/home/u" }, only(["/tmp"], ["/home/u"]))).toEqual({ ...sandbox, HOME: "/home/u" });
  });

  test("leaves HOME alone where /tmp is no better", () => {
    expect(result([], { HOME: "/home/u" }, only([]))).toEqual({ ...sandbox, HOME: "/home/u" });
  });

  test("does not invent what was not there", () => {
    expect(result([], {}, only(["/tmp"]))).toEqual(sandbox);
  });

  test("never touches what the user names", () => {
    const args = ["--env", "TMPDIR=/mine", "--env", "HOME=/mine", "--unset-env", "XDG_RUNTIME_DIR"];
    expect(result(args, inherited, only(["/tmp"]))).toEqual({ ...sandbox, TMPDIR: "/mine", HOME: "/mine" });
    expect(change(args, inherited, only(["/tmp"])).repaired).toEqual([]);
  });

  test("leaves paths alone that Node cannot read", () => {
    expect(result([], { TMPDIR: "/t\ufffd", HOME: "/\ufffd" }, only(["/tmp"]))).toMatchObject({
      TMPDIR: "/t\ufffd",
      HOME: "/\ufffd",
    });
  });
});

const name = fc.oneof(
  fc.constantFrom(
    "A",
    "B",
    "HOME",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "FENCE_SANDBOX",
    "HTTP_PROXY",
    "all_proxy",
    "NO_PROXY",
  ),
  fc.stringMatching(/^[A-Za-z_]{1,8}$/),
);
const environment = fc.dictionary(name, fc.string());
const known = new Set([
  "FENCE_SANDBOX",
  ...Object.keys({ ...http, ...socks, ...direct }),
  "TMPDIR",
  "XDG_RUNTIME_DIR",
  "HOME",
]);

test("variables that neither the user nor fence knows keep their value", () => {
  fc.assert(
    fc.property(environment, fc.boolean(), fc.boolean(), (inherited, hasProxies, isGood) => {
      const given = result(hasProxies ? bothProxies : [], inherited, isGood ? goodPaths : only([]));
      for (const [key, value] of Object.entries(inherited)) if (!known.has(key)) expect(given[key]).toBe(value);
      for (const key of Object.keys(given)) expect(Object.hasOwn(inherited, key) || known.has(key)).toBe(true);
    }),
  );
});

test("what the user sets is what the program gets, whatever else is asked for", () => {
  fc.assert(
    fc.property(environment, environment, fc.array(name), fc.boolean(), (inherited, set, names, clear) => {
      const unset = names.filter((key) => !Object.hasOwn(set, key));
      const args = [
        ...bothProxies,
        ...Object.entries(set).map(([key, value]) => `--env=${key}=${value}`),
        ...unset.map((key) => `--unset-env=${key}`),
        ...(clear ? ["--clear-env"] : []),
      ];
      const given = result(args, inherited, only([]));
      expect(given).toMatchObject(set);
      for (const key of unset) expect(Object.hasOwn(given, key)).toBe(false);
    }),
  );
});
