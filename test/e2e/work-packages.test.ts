import { beforeEach, describe, expect, test } from "vitest";
import { forwardProxy } from "../kit/forward-proxy.ts";
import { users } from "../kit/launched.ts";
import { gitServer, npmRegistry, pythonIndex } from "../kit/package-servers.ts";
import { requires } from "../kit/requires.ts";
import { workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap"));

/** Tries a TCP connection and prints its outcome. */
const knock = (port: number) =>
  `node -e 'require("net").connect(${port}, "127.0.0.1").on("connect", () => process.exit(console.log("connected"))).on("error", (e) => console.log(e.code))'`;

describe.for(users)("as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  test("npm installs a package from a registry that only the proxy reaches", async (context) => {
    requires("npm for every user", "openssl")(context);
    const registry = await npmRegistry();
    const proxy = await forwardProxy({ "registry.example": registry.port });
    const work = workplace(user);
    work.write("project/package.json", JSON.stringify({ name: "project", version: "1.0.0", private: true }));
    work.write("registry.pem", registry.certificate);
    work.write(".npm/_logs/.keep", "");
    work.write(
      ".npmrc",
      `registry=https://registry.example/\ncafile=${work.home}/registry.pem\nupdate-notifier=false\n`,
    );
    const script = `npm install --no-audit --no-fund tiny >&2; node_modules/.bin/tiny; ${knock(registry.port)}`;
    const options = ["--allow-write", ".", "--allow-write", "~/.npm", "--http-proxy", proxy.url];
    const outcome = await work.shell(script, { options });
    expect(outcome).toMatchObject({ status: 0, stdout: "tiny works\nECONNREFUSED\n" });
    expect([...proxy.asked]).toEqual(["CONNECT registry.example"]);
    const installed = await work.shell(`node_modules/.bin/tiny; ${knock(registry.port)}`, { through: "nothing" });
    expect(installed).toMatchObject({ status: 0, stdout: "tiny works\nconnected\n" });
  });

  test("a host that the proxy refuses is out of npm's reach", async (context) => {
    requires("npm for every user")(context);
    const proxy = await forwardProxy({});
    const work = workplace(user);
    work.write("project/package.json", JSON.stringify({ name: "project", version: "1.0.0", private: true }));
    work.write(".npm/_logs/.keep", "");
    const install = "npm install --no-audit --no-fund --fetch-retries 0 --registry http://elsewhere.example/ tiny";
    const options = ["--allow-write", ".", "--allow-write", "~/.npm", "--http-proxy", proxy.url];
    const outcome = await work.shell(install, { options });
    expect(outcome).toMatchObject({ status: 1, stderr: expect.stringContaining("403") });
    expect([...proxy.asked]).toContain("GET elsewhere.example");
  });

  test("pip installs a package into a virtual environment, likewise", async (context) => {
    requires("python3 venv")(context);
    const proxy = await forwardProxy({ "pypi.example": await pythonIndex() });
    const work = workplace(user);
    const script = [
      "/usr/bin/python3 -m venv venv",
      "export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_TRUSTED_HOST=pypi.example",
      "venv/bin/pip install -q --index-url http://pypi.example/simple/ tiny >&2",
      "venv/bin/python -c 'import tiny'",
    ].join("\n");
    const outcome = await work.shell(script, { options: ["--allow-write", ".", "--http-proxy", proxy.url] });
    expect(outcome).toMatchObject({ status: 0, stdout: "tiny works\n" });
    expect([...proxy.asked]).toEqual(["GET pypi.example"]);
  });

  test("git clones, commits and pushes through the proxy", async (context) => {
    requires("git")(context);
    const proxy = await forwardProxy({ "forge.example": await gitServer() });
    const work = workplace(user);
    const script = [
      "git clone -q http://forge.example/project.git clone",
      "cd clone",
      "cat README",
      "echo more > more.txt",
      "git add more.txt",
      "git -c user.name=A -c user.email=a@example.com commit -qm second",
      "git push -q origin HEAD:main",
      "git fetch -q",
      "git log --format=%s origin/main",
    ].join("\n");
    const outcome = await work.shell(script, { options: ["--allow-write", ".", "--http-proxy", proxy.url] });
    expect(outcome).toMatchObject({ status: 0, stdout: "hello\nsecond\nfirst\n", stderr: "" });
    expect([...proxy.asked]).toEqual(["GET forge.example", "POST forge.example"]);
    const other = await work.shell("git clone -q http://other.example/project.git", {
      options: ["--allow-write", ".", "--http-proxy", proxy.url],
    });
    expect(other).toMatchObject({ status: 128, stderr: expect.stringContaining("403") });
  });
});
