/**
 * The proxy that the examples reach through fence.
 *
 * Runs:     in tests, on the host.
 * Promises: every user can connect to it; it reaches nothing itself.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { folder } from "./sandbox.ts";

export interface HostProxy {
  /** Holds nothing but the socket. */
  readonly folder: string;
  /** The Unix socket's path. */
  readonly socket: string;
  /** What was asked for, in order. */
  readonly asked: readonly string[];
}

export const hello = "hello from example.com\n";

/** Answers for http://example.com/ itself, and denies all else with 403. */
export async function httpProxy(): Promise<HostProxy> {
  const at = folder();
  const socket = join(at, "http.sock");
  const asked: string[] = [];
  const server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.writeHead(url === "http://example.com/" ? 200 : 403).end(url === "http://example.com/" ? hello : "");
  });
  onTestFinished(() => void server.close());
  await once(server.listen({ path: socket, writableAll: true }), "listening");
  return { folder: at, socket, asked };
}
