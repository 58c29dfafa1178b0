/**
 * What the demonstration's programs find on the host: a home directory with a project, a web server, a proxy.
 *
 * Runs:     on the host (npm run demo).
 * Promises: nothing of it is left behind.
 */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request, type Server } from "node:http";
import { connect } from "node:net";

/** The one host that the proxy lets through; the web server answers for it. */
export const allowedHost = "allowed.example";

export class DemoGround {
  /** Not in /tmp, of which a sandbox has one of its own. */
  readonly home = mkdtempSync("/var/tmp/fence-demo-");
  readonly #web = createServer((_, response) => response.end("hello from the web server\n"));
  readonly #proxy = createServer((incoming, response) => {
    const { hostname, pathname } = new URL(incoming.url ?? "", "http://invalid.example");
    if (hostname !== allowedHost) {
      response.writeHead(403).end("denied by the proxy\n");
      return;
    }
    request({ host: "127.0.0.1", port: this.webPort, path: pathname }, (answer) => {
      response.writeHead(answer.statusCode ?? 502);
      answer.pipe(response);
    })
      .on("error", () => response.writeHead(502).end())
      .end();
  });
  /** The same proxy at a path. */
  readonly #proxySocket = createServer((incoming, response) => this.#proxy.emit("request", incoming, response));

  static async make(): Promise<DemoGround> {
    const ground = new DemoGround();
    const { home } = ground;
    for (const directory of [ground.project, `${home}/.ssh`, `${home}/data`]) mkdirSync(directory);
    writeFileSync(`${ground.project}/notes.txt`, "hello from the project\n");
    writeFileSync(`${home}/.ssh/id_ed25519`, "the ssh key\n");
    writeFileSync(`${home}/.bashrc`, "# mine\n");
    writeFileSync(`${home}/data/notes.txt`, "hello from a granted file\n");
    writeFileSync(`${home}/data/secret.txt`, "the secret\n");
    await once(ground.#web.listen(0, "127.0.0.1"), "listening");
    await once(ground.#proxy.listen(0, "127.0.0.1"), "listening");
    await once(ground.#proxySocket.listen(ground.proxySocket), "listening");
    return ground;
  }

  get project(): string {
    return `${this.home}/project`;
  }

  get proxySocket(): string {
    return `${this.home}/proxy.sock`;
  }

  get webPort(): number {
    return portOf(this.#web);
  }

  get proxyPort(): number {
    return portOf(this.#proxy);
  }

  /** The same text each time: the home directory and ports by name. */
  named(text: string): string {
    return text
      .replaceAll(this.home, "~")
      .replaceAll(`127.0.0.1:${this.webPort}`, "127.0.0.1:WEB")
      .replaceAll(`127.0.0.1:${this.proxyPort}`, "127.0.0.1:PROXY");
  }

  close(): void {
    for (const server of [this.#web, this.#proxy, this.#proxySocket]) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(this.home, { recursive: true });
  }
}

/** What a port of the host's loopback answers to a request; null: it refuses or resets the connection. */
export async function fetched(port: number, path: string): Promise<string | null> {
  const client = connect(port, "127.0.0.1")
    .setEncoding("latin1")
    .on("error", () => {});
  client.write(`GET ${path} HTTP/1.0\r\n\r\n`);
  let answer = "";
  client.on("data", (more: string) => {
    answer += more;
  });
  await new Promise((resolve) => client.once("close", resolve)); // a reset is an answer, too
  const [, body = null] = answer.split("\r\n\r\n");
  return body;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
