/**
 * An HTTP proxy on the host that lets some hosts through, as an administrator's would, and the servers behind it.
 *
 * Runs:     in end-to-end tests, on the host.
 * Promises: it reaches nothing but ports of the host's loopback that the test names; it writes down who was asked for.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Server as TcpServer } from "node:net";
import type { Duplex } from "node:stream";
import { onTestFinished } from "vitest";

export interface ForwardProxy {
  /** For --http-proxy. */
  readonly url: string;
  /** Each host that was asked for, with its method: `CONNECT registry.example`. */
  readonly asked: ReadonlySet<string>;
}

/** Hosts by name, each a port of the host's loopback; all others are refused with 403. */
export async function forwardProxy(hosts: Readonly<Record<string, number>>): Promise<ForwardProxy> {
  const asked = new Set<string>();
  const portOf = (method: string | undefined, host: string): number | undefined => {
    asked.add(`${method} ${host}`);
    return hosts[host];
  };
  const server = createServer((incoming, response) => {
    const { hostname, pathname, search } = new URL(incoming.url ?? "", "http://no-host.invalid");
    const port = portOf(incoming.method, hostname);
    if (port === undefined) response.writeHead(403).end();
    else forward(incoming, response, { port, path: `${pathname}${search}` });
  });
  server.on("connect", ({ url }: IncomingMessage, client: Duplex) => {
    client.on("error", () => {});
    const port = portOf("CONNECT", url?.split(":")[0] ?? "");
    if (port === undefined) client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    else tunnel(client, port);
  });
  return { url: `http://127.0.0.1:${await listening(server)}`, asked };
}

function forward(incoming: IncomingMessage, response: ServerResponse, to: { port: number; path: string }): void {
  const { method, headers } = incoming;
  const onwards = request({ host: "127.0.0.1", ...to, method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onwards.on("error", () => response.destroy());
  incoming.pipe(onwards);
}

function tunnel(client: Duplex, port: number): void {
  const target = connect(port, "127.0.0.1", () => {
    client.write("HTTP/1.1 200 Connection established\r\n\r\n");
    client.pipe(target).pipe(client);
  });
  target.on("error", () => client.destroy());
}

/** The port of the host's loopback at which it listens until the test has ended. */
export async function listening(server: Server | TcpServer): Promise<number> {
  onTestFinished(() => {
    server.close();
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}
