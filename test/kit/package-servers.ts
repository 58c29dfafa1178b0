/**
 * A registry of npm packages, an index of Python packages and a git server, each with one thing in it.
 *
 * Runs:     in end-to-end tests, on the host's loopback.
 * Promises: what they hold is made by the test; nothing of a real registry is asked for.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { listening } from "./forward-proxy.ts";
import { folder } from "./sandbox.ts";
import { tool } from "./workplace.ts";

export interface TlsServer {
  readonly port: number;
  /** Of its certificate, which no authority has signed, in PEM. */
  readonly certificate: string;
}

/** https://registry.example/ with the package `tiny`, whose command prints "tiny works". Needs openssl and tar. */
export async function npmRegistry(): Promise<TlsServer> {
  const at = folder();
  mkdirSync(join(at, "package"));
  const manifest = { name: "tiny", version: "1.0.0", bin: { tiny: "tiny.js" } };
  writeFileSync(join(at, "package/package.json"), JSON.stringify(manifest));
  writeFileSync(join(at, "package/tiny.js"), '#!/usr/bin/env node\nconsole.log("tiny works");\n', { mode: 0o755 });
  tool(["tar", "-czf", "tiny.tgz", "package"], at);
  const tarball = readFileSync(join(at, "tiny.tgz"));
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const dist = { tarball: "https://registry.example/tiny.tgz", integrity };
  const packument = { name: "tiny", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": { ...manifest, dist } } };
  const { key, cert } = selfSigned("registry.example", at);
  const files = { "/tiny": Buffer.from(JSON.stringify(packument)), "/tiny.tgz": tarball };
  const port = await listening(createTlsServer({ key, cert }, serve(files)));
  return { port, certificate: cert };
}

function selfSigned(host: string, at: string): { key: string; cert: string } {
  const names = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host}`];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  tool(["openssl", "req", "-x509", ...kind, ...names, "-keyout", "key.pem", "-out", "cert.pem"], at);
  return { key: readFileSync(join(at, "key.pem"), "utf8"), cert: readFileSync(join(at, "cert.pem"), "utf8") };
}

/** http://pypi.example/simple/ with the package `tiny`; its port. `import tiny` prints "tiny works". Needs Python. */
export async function pythonIndex(): Promise<number> {
  const at = folder();
  const wheel = "tiny-1.0.0-py3-none-any.whl";
  const about = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
  mkdirSync(join(at, "tiny-1.0.0.dist-info"));
  writeFileSync(join(at, "tiny.py"), 'print("tiny works")\n');
  writeFileSync(join(at, "tiny-1.0.0.dist-info/METADATA"), "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0.0\n");
  writeFileSync(join(at, "tiny-1.0.0.dist-info/WHEEL"), about);
  writeFileSync(join(at, "tiny-1.0.0.dist-info/RECORD"), "tiny.py,,\n");
  tool(["/usr/bin/python3", "-m", "zipfile", "-c", wheel, "tiny.py", "tiny-1.0.0.dist-info"], at);
  const bytes = readFileSync(join(at, wheel));
  const sum = createHash("sha256").update(bytes).digest("hex");
  const list = Buffer.from(`<!DOCTYPE html><a href="/${wheel}#sha256=${sum}">${wheel}</a>`);
  return listening(createServer(serve({ "/simple/tiny/": list, [`/${wheel}`]: bytes }, "text/html")));
}

function serve(files: Readonly<Record<string, Buffer>>, type = "application/json") {
  return ({ url }: IncomingMessage, response: ServerResponse): void => {
    const body = files[url ?? ""];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type }).end(body);
  };
}

/** http://forge.example/project.git with one commit, `first`, which may be pushed to; its port. Needs git. */
export async function gitServer(): Promise<number> {
  const at = folder();
  tool(["git", "init", "-q", "--bare", "-b", "main", "project.git"], at);
  tool(["git", "-C", "project.git", "config", "http.receivepack", "true"], at);
  tool(["git", "clone", "-q", "project.git", "work"], at);
  writeFileSync(join(at, "work/README"), "hello\n");
  tool(["git", "-C", "work", "add", "README"], at);
  const who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"];
  tool(["git", "-C", "work", ...who, "commit", "-qm", "first"], at);
  tool(["git", "-C", "work", "push", "-q", "origin", "HEAD:main"], at);
  const backend = join(tool(["git", "--exec-path"], at).trim(), "git-http-backend");
  return listening(createServer((incoming, response) => runCgi(backend, at, incoming, response)));
}

/** As RFC 3875 says, of the variables those that git-http-backend(1) reads. */
function runCgi(program: string, root: string, incoming: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(incoming.url ?? "", "http://forge.example");
  const child = spawn(program, {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: incoming.method,
      CONTENT_TYPE: incoming.headers["content-type"] ?? "",
      ...(incoming.headers["content-encoding"] === "gzip" && { HTTP_CONTENT_ENCODING: "gzip" }),
      ...(incoming.headers["git-protocol"] !== undefined && { GIT_PROTOCOL: String(incoming.headers["git-protocol"]) }),
    },
  });
  incoming.pipe(child.stdin.on("error", () => {}));
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.on("close", () => {
    const answer = Buffer.concat(chunks);
    const end = answer.indexOf("\r\n\r\n");
    const fields = answer.toString("latin1", 0, end).split("\r\n");
    const headers = Object.fromEntries(fields.map((line) => line.split(": ") as [string, string]));
    response.writeHead(Number.parseInt(headers["Status"] ?? "200", 10), headers).end(answer.subarray(end + 4));
  });
}
