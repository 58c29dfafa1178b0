/**
 * Puts the bytecode of all functions into the SEA's code cache; Node's own holds those only that run while it loads.
 *
 * Runs:     on the build machine, under the same Node that is packed.
 * Promises: the cache is for the same source, V8 and flags as Node's own, or the build fails; verify.ts sees to it that V8
 *           accepts it.
 * Source:   Node, src/node_sea.cc (the blob); V8, src/snapshot/code-serializer.h (the header)
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { compileFunction, Script } from "node:vm";
import { packedNode } from "./paths.ts";
import { run } from "./run.ts";

/** As Node wraps a CommonJS module. */
const parameters = ["exports", "require", "module", "__filename", "__dirname"];
/** V8's header: magic, version, source, flags, read-only heap, length of what follows, checksum. */
const header = { flags: 12, length: 20, size: 32 } as const;
const lengthBytes = 8;

/** Replaces the code cache in the SEA's blob, where its length and its bytes follow the source. */
export function cacheAllFunctions(blobFile: string, bundle: string): void {
  const blob = readFileSync(blobFile);
  const source = readFileSync(bundle);
  const at = blob.indexOf(source) + source.length;
  const start = at + lengthBytes;
  const end = start + Number(blob.readBigUInt64LE(at));
  if (at < source.length || end > blob.length) {
    throw new Error("the SEA's blob does not hold the source and its code cache: see build/code-cache.ts");
  }
  const cache = compiled(bundle, `${blobFile}.cache`, { as: "module" });
  adopt(cache, blob.subarray(start, end));
  const length = Buffer.alloc(lengthBytes);
  length.writeBigUInt64LE(BigInt(cache.length));
  writeFileSync(blobFile, Buffer.concat([blob.subarray(0, at), length, cache, blob.subarray(end)]));
}

/** The same for a part, src/packed-part.ts. */
export function makeCache(part: string, output: string): void {
  const cache = compiled(part, output, { as: "script" });
  adopt(cache, compiled(part, `${output}.plain`, { as: "script", functions: "lazy" }));
  writeFileSync(output, cache);
}

/**
 * V8 asks for the flags with which it runs, to be sure of what the bytecode may do. `--no-lazy` says only when functions
 * are compiled, but counts as another set of flags: so the header gets those of Node's own cache.
 */
function adopt(cache: Buffer, own: Buffer): void {
  own.copy(cache, header.flags, header.flags, header.flags + 4);
  if (cache.length < header.size || !cache.subarray(0, header.length).equals(own.subarray(0, header.length))) {
    throw new Error("the code cache has another header than one of the same flags: see build/code-cache.ts");
  }
}

interface Compilation {
  /** How Node compiles it: a CommonJS module's function, or a script. */
  readonly as: "module" | "script";
  readonly functions?: "all" | "lazy";
}

/** In a process of its own: V8's flags are the whole process's. */
function compiled(source: string, output: string, { as, functions = "all" }: Compilation): Buffer {
  run(packedNode, [import.meta.filename, source, output, as, functions]);
  return readFileSync(output);
}

if (import.meta.main) {
  const [source = "", output = "", as, functions] = process.argv.slice(2);
  if (functions === "all") setFlagsFromString("--no-lazy");
  const text = readFileSync(source, "utf8");
  const options = { filename: source, produceCachedData: true };
  const { cachedData } = as === "script" ? new Script(text, options) : compileFunction(text, parameters, options);
  if (cachedData === undefined) throw new Error("V8 made no code cache");
  writeFileSync(output, cachedData);
}
