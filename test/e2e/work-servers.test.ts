import { once } from "node:events";
import { Agent, get, request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { received } from "../kit/bytes.ts";
import { listening } from "../kit/forward-proxy.ts";
import { type Launched, users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { type Workplace, workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap", "npm for every user"));

/** Listens when it is told to; answers GET with as many bytes as asked for, POST with their number; echoes after an upgrade. */
const devServer = `
  import { createServer } from "node:http";
  const server = createServer((request, response) => {
    let sizeBytes = 0;
    if (request.method === "GET") return response.end(Buffer.alloc(Number(request.url.slice(1)), "x"));
    request.on("data", (chunk) => (sizeBytes += chunk.length)).on("end", () => response.end(String(sizeBytes)));
  });
  server.on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: Upgrade\\r\\nUpgrade: echo\\r\\n\\r\\n");
    socket.pipe(socket);
  });
  process.stdin.once("data", () => server.listen(3000, "127.0.0.1", () => console.log("listening")));
  process.stdin.on("end", () => process.exit());
  console.log("up");
`;

interface Serving {
  readonly server: Launched;
  /** Of the host. */
  readonly port: number;
}

describe.for(users)("as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  async function serving(work: Workplace): Promise<Serving> {
    work.write("project/server.mjs", devServer);
    const server = work.launch(["node", "server.mjs"], { options: ["-p", "0:3000"], input: "held" });
    const { published } = await server.report("ready");
    expect(await server.line()).toBe("up");
    return { server, port: published[0].hostPort };
  }

  async function listens({ server }: Serving): Promise<void> {
    expect(await server.ask("listen")).toBe("listening");
  }

  async function stopped({ server }: Serving): Promise<void> {
    server.end();
    expect(await server.outcome).toMatchObject({ status: 0, stderr: "" });
  }

  test("a dev server resets who comes before it listens, and is reached as soon as it does", async () => {
    const serve = await serving(workplace(user));
    expect(await received(connect(serve.port, "127.0.0.1"))).toMatchObject({ sizeBytes: 0, end: "ECONNRESET" });
    await listens(serve);
    expect(await (await fetch(`http://127.0.0.1:${serve.port}/5`)).text()).toBe("xxxxx");
    await stopped(serve);
    await expect(fetch(`http://127.0.0.1:${serve.port}/5`)).rejects.toThrow();
  });

  test("requests share a kept connection; a large upload and download arrive whole", async () => {
    const serve = await serving(workplace(user));
    await listens(serve);
    const at = { host: "127.0.0.1", port: serve.port, agent: new Agent({ keepAlive: true, maxSockets: 1 }) };
    onTestFinished(() => at.agent.destroy());
    const ports = new Set<number | undefined>();
    for (const sizeBytes of [1, 1000, 64 << 20, 10]) {
      const [answer] = await once(get({ ...at, path: `/${sizeBytes}` }), "response");
      ports.add(answer.socket.localPort);
      expect((await buffer(answer)).length).toBe(sizeBytes);
    }
    expect(ports.size).toBe(1);
    const upload = request({ ...at, method: "POST" });
    upload.end(Buffer.alloc(64 << 20));
    const [answer] = await once(upload, "response");
    expect(await text(answer)).toBe(String(64 << 20));
    at.agent.destroy();
    await stopped(serve);
  });

  test("an upgraded connection lives beside others, in both directions, until the program ends", async () => {
    const serve = await serving(workplace(user));
    await listens(serve);
    const upgrade = { Connection: "Upgrade", Upgrade: "echo" };
    const [, socket] = (await once(get({ host: "127.0.0.1", port: serve.port, headers: upgrade }), "upgrade")) as [
      unknown,
      Socket,
    ];
    for (const message of ["first", "second"]) {
      expect(await (await fetch(`http://127.0.0.1:${serve.port}/3`)).text()).toBe("xxx");
      socket.write(message);
      expect(String((await once(socket, "data"))[0])).toBe(message);
    }
    const over = once(socket.resume(), "close");
    serve.server.end();
    await over;
    expect(await serve.server.outcome).toMatchObject({ status: 0 });
  });

  test("a database on the host's loopback is reached at its port, and no other port is", async () => {
    const database = createServer((socket) => {
      socket.on("error", () => {}).on("data", (query) => socket.write(`${String(query).trim()} rows\n`));
    });
    const [port, other] = [await listening(database), await listening(createServer())];
    const work = workplace(user);
    work.write(
      "project/client.mjs",
      `import { connect } from "node:net";
       const client = connect(${port}, "localhost").on("error", (error) => console.log(error.code));
       client.setEncoding("utf8").on("data", (rows) => (console.log(rows.trim()), rows.startsWith("2") ? client.end() : client.write("2")));
       client.write("1");
       connect(${other}, "127.0.0.1").on("error", (error) => console.error(error.code)).on("connect", () => process.exit(1));\n`,
    );
    const through = { options: ["--local-port", String(port)] };
    const outcome = await work.run(["node", "client.mjs"], through);
    expect(outcome).toMatchObject({ status: 0, stdout: "1 rows\n2 rows\n", stderr: "ECONNREFUSED\n" });
    expect(await work.run(["node", "client.mjs"], { through: "nothing" })).toMatchObject({ status: 1 });
    expect(await work.run(["node", "client.mjs"])).toMatchObject({ status: 0, stdout: "ECONNREFUSED\n" });
  });
});
