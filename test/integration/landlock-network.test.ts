import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { chooseBridgeRuleset } from "../../src/landlock/bridge-ruleset.ts";
import { logWords } from "../../src/landlock/options.ts";
import { kernelAbi, needsAbi, outcomesOf, outcomesUnder } from "./landlock/outcomes.ts";

async function listen(
  address: { path: string } | { port: number; host: string },
): Promise<AddressInfo | string | null> {
  const server = createServer((socket) => socket.destroy());
  onTestFinished(() => void server.close());
  server.listen(address);
  await once(server, "listening");
  return server.address();
}

/** A TCP port that is listened on until the test ends. */
async function openPort(): Promise<number> {
  const address = await listen({ port: 0, host: "127.0.0.1" });
  return (address as AddressInfo).port;
}

function socketDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "ll-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

describe("TCP", () => {
  test("--connect-tcp allows its port and no other", async (context) => {
    needsAbi(4, context);
    const [allowed, other] = [await openPort(), await openPort()];
    const { free, fenced } = await outcomesOf(
      () => ({ connectTcp: [allowed] }),
      () => [
        ["connectTcp", allowed],
        ["connectTcp", other],
        ["bindTcp", 0],
      ],
    );
    expect(free).toEqual(["ok", "ok", "ok"]);
    expect(fenced).toEqual(["ok", "EACCES", "EACCES"]);
  });

  test("--bind-tcp allows its port and no other", async (context) => {
    needsAbi(4, context);
    // Both are taken, so that no port can be lost to another process: past Landlock the answer is EADDRINUSE.
    const [allowed, other] = [await openPort(), await openPort()];
    const { free, fenced } = await outcomesOf(
      () => ({ bindTcp: [allowed] }),
      () => [
        ["bindTcp", allowed],
        ["bindTcp", other],
        ["connectTcp", other],
      ],
    );
    expect(free).toEqual(["EADDRINUSE", "EADDRINUSE", "ok"]);
    expect(fenced).toEqual(["EADDRINUSE", "EACCES", "EACCES"]);
  });

  test("--bind-tcp 0 allows any free port", async (context) => {
    needsAbi(4, context);
    const outcomes = await outcomesOf(
      () => ({ bindTcp: [0] }),
      () => [["bindTcp", 0]],
    );
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["ok"] });
  });

  test("the ruleset for ABI 3 leaves TCP alone", async () => {
    const port = await openPort();
    const outcomes = await outcomesOf(
      (files) => ({ connectTcp: [], bindTcp: [1], rules: [{ access: "ro", path: files }] }),
      () => [["connectTcp", port]],
      { abi: 3 },
    );
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["ok"] });
  });
});

describe("UDP", () => {
  test("--connect-udp allows to send to its port and to no other", async (context) => {
    needsAbi(10, context);
    const { free, fenced } = await outcomesOf(
      () => ({ connectUdp: [53] }),
      () => [
        ["sendUdp", 53],
        ["sendUdp", 54],
        ["bindUdp", 0],
      ],
    );
    expect(free).toEqual(["ok", "ok", "ok"]);
    expect(fenced).toEqual(["ok", "EACCES", "ok"]);
  });

  test("--bind-udp 0 allows a port that the kernel chooses, and no sending", async (context) => {
    needsAbi(10, context);
    const outcomes = await outcomesOf(
      () => ({ bindUdp: [0] }),
      () => [
        ["bindUdp", 0],
        ["sendUdp", 53],
      ],
    );
    expect(outcomes).toEqual({ free: ["ok", "ok"], fenced: ["ok", "EACCES"] });
  });

  test("the TCP options leave it alone", async (context) => {
    needsAbi(4, context);
    const outcomes = await outcomesOf(
      () => ({ connectTcp: [80] }),
      () => [
        ["bindUdp", 0],
        ["sendUdp", 53],
      ],
    );
    expect(outcomes).toEqual({ free: ["ok", "ok"], fenced: ["ok", "ok"] });
  });
});

describe("the audit log", () => {
  test.for(logWords)("--landlock-log %s is accepted and denies as without it", async (word, context) => {
    needsAbi(7, context);
    const outcomes = await outcomesOf(
      (files) => ({ rules: [{ access: "ro", path: `${files}/a` }], log: [word] }),
      (files) => [
        ["read", `${files}/a/file`],
        ["read", `${files}/b/file`],
      ],
    );
    expect(outcomes).toEqual({ free: ["ok", "ok"], fenced: ["ok", "EACCES"] });
  });

  test("--quiet is accepted for paths, ports and scopes, and denies as without it", async (context) => {
    needsAbi(10, context);
    const port = await openPort();
    const outcomes = await outcomesOf(
      (files) => ({
        rules: [{ access: "ro", path: `${files}/a` }],
        connectTcp: [1],
        scopes: ["signal"],
        quiet: { paths: [`${files}/a`, `${files}/b`, `${files}/file`], ports: [port], scopes: ["signal"] },
      }),
      (files) => [
        ["read", `${files}/a/file`],
        ["read", `${files}/b/file`],
        ["read", `${files}/file`],
        ["connectTcp", port],
        ["signal", process.pid],
      ],
    );
    expect(outcomes.free).toEqual(Array(5).fill("ok"));
    expect(outcomes.fenced).toEqual(["ok", "EACCES", "EACCES", "EACCES", "EPERM"]);
  });
});

describe("scopes", () => {
  test("--scope signal allows no signal to a process outside", async (context) => {
    needsAbi(6, context);
    const signal = (scopes: readonly ("signal" | "abstract-unix")[]) =>
      outcomesOf(
        () => ({ scopes }),
        () => [["signal", process.pid]],
      );
    expect(await signal(["signal"])).toEqual({ free: ["ok"], fenced: ["EPERM"] });
    expect(await signal(["abstract-unix"])).toEqual({ free: ["ok"], fenced: ["ok"] });
  });

  test("--scope abstract-unix allows no connection to an abstract socket from outside", async (context) => {
    needsAbi(6, context);
    const name = `\0landlock-${randomUUID()}`;
    await listen({ path: name });
    const connect = (scopes: readonly ("signal" | "abstract-unix")[]) =>
      outcomesOf(
        () => ({ scopes }),
        () => [["connectUnix", name]],
      );
    expect(await connect(["abstract-unix"])).toEqual({ free: ["ok"], fenced: ["EPERM"] });
    expect(await connect(["signal"])).toEqual({ free: ["ok"], fenced: ["ok"] });
  });
});

describe("Unix sockets with a path", () => {
  test("--unix allows its socket and no other", async (context) => {
    needsAbi(9, context);
    const directory = socketDirectory();
    const [allowed, other] = [`${directory}/allowed`, `${directory}/other`];
    await listen({ path: allowed });
    await listen({ path: other });
    const { free, fenced } = await outcomesOf(
      () => ({ unixSockets: [allowed] }),
      (files) => [
        ["connectUnix", allowed],
        ["connectUnix", other],
        ["rename", `${files}/a/file`, `${files}/b/moved`],
      ],
    );
    expect(free).toEqual(["ok", "ok", "ok"]);
    expect(fenced).toEqual(["ok", "EACCES", "ok"]);
  });

  test("below ABI 9 every socket that can be seen can be connected to, as the report says", async () => {
    const path = `${socketDirectory()}/other`;
    await listen({ path });
    const outcomes = await outcomesOf(
      (files) => ({ rules: [{ access: "ro", path: files }], unixSockets: [files] }),
      () => [["connectUnix", path]],
      { abi: 8 },
    );
    expect(outcomes).toEqual({ free: ["ok"], fenced: ["ok"] });
  });
});

test("the bridge process reaches its targets and nothing else", async (context) => {
  needsAbi(6, context);
  const [target, other] = [await openPort(), await openPort()];
  const unixTarget = `${socketDirectory()}/target`;
  await listen({ path: unixTarget });
  const { free, fenced } = await outcomesUnder(
    () => {
      const choice = chooseBridgeRuleset({ unixSockets: [unixTarget], tcpPorts: [target] }, kernelAbi);
      return choice.kind === "ruleset" ? choice : null;
    },
    (files) => [
      ["connectTcp", target],
      ["connectUnix", unixTarget],
      ["connectTcp", other],
      ["bindTcp", 0],
      ["read", `${files}/file`],
      ["signal", process.pid],
    ],
  );
  expect(free).toEqual(Array(6).fill("ok"));
  expect(fenced).toEqual(["ok", "ok", "EACCES", "EACCES", "EACCES", "EPERM"]);
});
