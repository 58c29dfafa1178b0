import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, asNobody, bootstrap, emptyRoot, fenced, folder, type Place } from "../kit/sandbox.ts";

beforeEach(requires("bwrap"));

/** What the program gets, in order: NAME=VALUE. */
async function environment(
  place: Place,
  options: readonly string[],
  inherited: readonly string[] = [],
): Promise<readonly string[]> {
  const file = join(folder(), "environment");
  writeFileSync(file, inherited.map((variable) => `${variable}\0`).join(""), "latin1");
  const bound = insertFirst(place, "--ro-bind", file, "/environment");
  const { environment } = await fenced(arranged(bound, "environment", "/environment"), options, ["environ-raw"]);
  return environment.map((hex: string) => Buffer.from(hex, "hex").toString("latin1"));
}

/** The same root with more mounts, made before all others. */
function insertFirst(root: Place, ...bwrapArgs: readonly string[]): Place {
  const enter = (command: readonly string[]) => {
    const argv = root.enter(command);
    const at = argv.indexOf("bwrap") + 1;
    return [...argv.slice(0, at), ...bwrapArgs, ...argv.slice(at)];
  };
  return { ...root, enter };
}

const sandbox = "FENCE_SANDBOX=1";
const http = "http://127.0.0.1:3128";
const httpVariables = [`HTTP_PROXY=${http}`, `HTTPS_PROXY=${http}`, `http_proxy=${http}`, `https_proxy=${http}`];
const socks = "socks5h://127.0.0.1:1080";
const socksVariables = [`ALL_PROXY=${socks}`, `all_proxy=${socks}`];
const noProxyVariables = ["NO_PROXY=localhost,127.0.0.1,::1", "no_proxy=localhost,127.0.0.1,::1"];
const target = "unix:/no/such/socket";

describe("the program's environment is the caller's and exactly these variables:", () => {
  test("without options FENCE_SANDBOX alone", async () => {
    expect(await environment(emptyRoot(), [], ["A=1", "B=2"])).toEqual(["A=1", "B=2", sandbox]);
    expect(await environment(emptyRoot(), [])).toEqual([sandbox]);
  });

  test("with --http-proxy those of the HTTP proxy", async () => {
    const given = await environment(emptyRoot(), ["--http-proxy", target], ["A=1"]);
    expect(given).toEqual(["A=1", sandbox, ...httpVariables, ...noProxyVariables]);
  });

  test("with --socks-proxy those of the SOCKS proxy", async () => {
    const given = await environment(emptyRoot(), ["--socks-proxy", target]);
    expect(given).toEqual([sandbox, ...socksVariables, ...noProxyVariables]);
  });

  test("with both proxies all of them", async () => {
    const given = await environment(emptyRoot(), ["--http-proxy", target, "--socks-proxy", target]);
    expect(given).toEqual([sandbox, ...httpVariables, ...socksVariables, ...noProxyVariables]);
  });

  test("with --no-all-proxy no ALL_PROXY", async () => {
    const options = ["--http-proxy", target, "--socks-proxy", target, "--no-all-proxy"];
    expect(await environment(emptyRoot(), options)).toEqual([sandbox, ...httpVariables, ...noProxyVariables]);
  });

  test("with --no-proxy its list", async () => {
    const given = await environment(emptyRoot(), ["--http-proxy", target, "--no-proxy", "a.example,10.0.0.0/8"]);
    expect(given).toEqual([
      sandbox,
      ...httpVariables,
      "NO_PROXY=a.example,10.0.0.0/8",
      "no_proxy=a.example,10.0.0.0/8",
    ]);
  });

  test("with a plain bridge none of a proxy", async () => {
    const given = await environment(emptyRoot(), ["--bridge", `tcp:127.0.0.1:4001=${target}`]);
    expect(given).toEqual([sandbox]);
  });
});

describe("variables that were inherited", () => {
  test("are replaced by fence's own", async () => {
    const inherited = ["FENCE_SANDBOX=0", "HTTP_PROXY=http://other:1", "no_proxy=*", "A=1"];
    const given = await environment(emptyRoot(), ["--http-proxy", target], inherited);
    expect(given).toEqual(["A=1", sandbox, ...httpVariables, ...noProxyVariables]);
  });

  test("of a proxy that cannot be reached any more are taken away", async () => {
    const inherited = ["ALL_PROXY=socks5://other:1", "all_proxy=x", "A=1"];
    const given = await environment(emptyRoot(), ["--http-proxy", target], inherited);
    expect(given).toEqual(["A=1", sandbox, ...httpVariables, ...noProxyVariables]);
  });

  test("of a proxy stay as they are when fence provides none", async () => {
    const inherited = ["HTTP_PROXY=http://other:1", "ALL_PROXY=x"];
    expect(await environment(emptyRoot(), [], inherited)).toEqual([...inherited, sandbox]);
  });

  test("that steer the loader, libc, OpenSSL or Node stay for the program", async () => {
    const inherited = [
      "LD_PRELOAD=/no/such.so",
      "GLIBC_TUNABLES=x",
      "MALLOC_ARENA_MAX=1",
      "NODE_OPTIONS=--no-such-option",
      "OPENSSL_CONF=/no/such",
      "SSL_CERT_FILE=/no/such",
      "UV_THREADPOOL_SIZE=1",
      "FENCE_STUB=7,8,9",
    ];
    expect(await environment(emptyRoot(), [], inherited)).toEqual([...inherited, sandbox]);
  });

  test("of any bytes stay as they are, in their order", async () => {
    const inherited = ["Z=\xff\xfe", "A=\x01", "\xc3\x28=x", "NAME_ONLY", "=x", "A=again", "E="];
    expect(await environment(emptyRoot(), [], inherited)).toEqual([...inherited, sandbox]);
  });
});

describe("--env, --unset-env and --clear-env", () => {
  test("--env adds, replaces and wins over what fence sets", async () => {
    const options = ["--http-proxy", target, "--env", "A=2", "--env", "HTTP_PROXY=mine", "--env", "FENCE_SANDBOX=x"];
    const given = await environment(emptyRoot(), options, ["A=1", "B=1"]);
    expect(given).toEqual([
      "B=1",
      ...httpVariables.slice(1),
      ...noProxyVariables,
      "A=2",
      "HTTP_PROXY=mine",
      "FENCE_SANDBOX=x",
    ]);
  });

  test("the last --env of a name counts, and a value may hold anything", async () => {
    const options = ["--env", "A=1", "--env", "A=x=y z=\n", "--env=B=--ro", "--env", "EMPTY=", "--env", "Ü=ü"];
    const bytes = (text: string) => Buffer.from(text).toString("latin1");
    expect(await environment(emptyRoot(), options)).toEqual([sandbox, "A=x=y z=\n", "B=--ro", "EMPTY=", bytes("Ü=ü")]);
  });

  test("--unset-env takes away, what fence sets too", async () => {
    const options = ["--unset-env", "A", "--unset-env", "FENCE_SANDBOX", "--unset-env", "MISSING"];
    expect(await environment(emptyRoot(), options, ["A=1", "A=2", "AB=3"])).toEqual(["AB=3"]);
  });

  test("--clear-env leaves fence's variables and those of --env", async () => {
    const options = ["--clear-env", "--http-proxy", target, "--env", "A=2"];
    const given = await environment(emptyRoot(), options, ["A=1", "B=1", "TMPDIR=/no/such"]);
    expect(given).toEqual([sandbox, ...httpVariables, ...noProxyVariables, "A=2"]);
  });
});

describe("directories that the program could not use are repaired:", () => {
  /** /writable can be written, /probe is a file, the rest of the root is read-only. */
  const root = () => emptyRoot("--tmpfs", "/writable");
  /** fence lies beneath /tmp, so a writable /tmp is one that all is mounted into. */
  const rootWithTmp = () => insertFirst(emptyRoot(), "--perms", "1777", "--tmpfs", "/tmp");

  test.for(["TMPDIR", "XDG_RUNTIME_DIR"])("%s is taken away unless it is a directory to write in", async (name) => {
    for (const path of ["/no/such", "/probe", "/tmp", "relative", ""])
      expect(await environment(root(), [], [`${name}=${path}`]), path).toEqual([sandbox]);
    expect(await environment(root(), [], [`${name}=/writable`])).toEqual([`${name}=/writable`, sandbox]);
  });

  test.for(["TMPDIR", "XDG_RUNTIME_DIR"])("%s is taken away where no rule allows to write", async (name) => {
    const inherited = [`${name}=/writable`];
    expect(await environment(root(), ["--rox", "/"], inherited)).toEqual([sandbox]);
    expect(await environment(root(), ["--rox", "/", "--rw", "/writable"], inherited)).toEqual([...inherited, sandbox]);
  });

  test("TMPDIR is taken away when another user's", async (context) => {
    requires("unprivileged bwrap", "root")(context);
    const own = folder();
    const shared = folder();
    chmodSync(shared, 0o1777);
    const place = asNobody(emptyRoot("--bind", own, "/own", "--bind", shared, "/shared"));
    expect(await environment(place, [], ["TMPDIR=/own"])).toEqual([sandbox]);
    expect(await environment(place, [], ["TMPDIR=/shared"])).toEqual(["TMPDIR=/shared", sandbox]);
  });

  test("HOME becomes /tmp when it is no directory and /tmp can be written", async () => {
    for (const path of ["/no/such", "/probe", "relative", ""])
      expect(await environment(rootWithTmp(), [], [`HOME=${path}`]), path).toEqual([sandbox, "HOME=/tmp"]);
    expect(await environment(emptyRoot(), [], ["HOME=/no/such"])).toEqual(["HOME=/no/such", sandbox]);
  });

  test("HOME stays when it is a directory, also one that cannot be written", async () => {
    expect(await environment(rootWithTmp(), [], ["HOME=/proc"])).toEqual(["HOME=/proc", sandbox]);
    expect(await environment(rootWithTmp(), [])).toEqual([sandbox]);
  });

  test("what --env sets or --unset-env names is never repaired", async () => {
    const options = ["--env", "TMPDIR=/no/such", "--env", "HOME=/nor/this", "--unset-env", "XDG_RUNTIME_DIR"];
    const inherited = ["TMPDIR=/x", "HOME=/x", "XDG_RUNTIME_DIR=/x"];
    const given = await environment(rootWithTmp(), options, inherited);
    expect(given).toEqual([sandbox, "TMPDIR=/no/such", "HOME=/nor/this"]);
  });

  test("each repair is reported", async () => {
    const place = arranged(rootWithTmp(), "add-variable", "TMPDIR=/no/such", "add-variable", "HOME=/no/such");
    const options = ["--status-fd", "4"];
    const { output4 } = await bootstrap(place, options, ["/probe", "exit", "0"], { collects4: true });
    expect(JSON.parse(output4.split("\n")[1] ?? "").repaired).toEqual([
      { name: "TMPDIR", to: null },
      { name: "HOME", to: "/tmp" },
    ]);
  });
});
