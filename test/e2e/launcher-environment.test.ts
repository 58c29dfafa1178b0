import { beforeEach, expect, test } from "vitest";
import { launched } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";

beforeEach(requires("bwrap", "env"));

const inherited = {
  ...{ HTTP_PROXY: "http://host:1", all_proxy: "socks5://host:2", XDG_RUNTIME_DIR: "/run/user/1", TMPDIR: "/no/such" },
  ...{ HOME: "/no/such", KEPT: "as it is" },
};

async function variables(options: readonly string[]): Promise<Readonly<Record<string, string>>> {
  const { status, stdout } = await launched(["env"], { options, env: inherited });
  expect(status).toBe(0);
  return Object.fromEntries(
    stdout.split("\n").flatMap((line) => [...line.matchAll(/^(\w+)=(.*)$/g)].map(([, ...it]) => it)),
  );
}

const proxy = "http://127.0.0.1:3128";

test("what was inherited and is of no use in the sandbox is repaired or left out", async () => {
  const found = await variables(["--http-proxy", "tcp:127.0.0.1:1"]);
  expect(found).toMatchObject({
    HTTP_PROXY: proxy,
    https_proxy: proxy,
    HOME: "/tmp",
    FENCE_SANDBOX: "1",
    KEPT: "as it is",
  });
  for (const name of ["all_proxy", "ALL_PROXY", "XDG_RUNTIME_DIR", "TMPDIR"]) expect(found).not.toHaveProperty(name);
});

test("what is named on the command line wins", async () => {
  const named = ["--env", "HTTP_PROXY=mine", "--env", "TMPDIR=/x", "--unset-env", "NO_PROXY"];
  const found = await variables(["--http-proxy", "tcp:127.0.0.1:1", ...named]);
  expect(found).toMatchObject({ HTTP_PROXY: "mine", HTTPS_PROXY: proxy, TMPDIR: "/x" });
  expect(found).not.toHaveProperty("NO_PROXY");
});
