/**
 * Packs the stub, the Node SEA, its loader and libraries, and the addon into one executable file.
 *
 * Runs:     on the build machine.
 * Promises: the file is complete or absent; no part of it obeys the host's loader configuration.
 * Source:   docs/packed-format.md; native/stub/pack-index.h
 */
import { closeSync, ftruncateSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { basename } from "node:path";
import { addonPrebuild, loader, loaderFolders, strippedNode, stub } from "./paths.ts";
import { run } from "./run.ts";

export const kinds = { node: 1, loader: 2, library: 3, addon: 4 } as const;

interface Part {
  readonly kind: keyof typeof kinds;
  readonly name: string;
  readonly bytes: Buffer;
}

export const magic = Buffer.from("FENCE-PACK-IDX\x01\0", "latin1");
export const index = { buildId: 16, partCount: 32, parts: 40, partSize: 64, nameSize: 40, maxParts: 14 } as const;
/** The largest page size of the architectures we plan for (arm64): parts are mapped from their offset. */
const alignmentBytes = 65536;

export interface Packed {
  readonly buildId: string;
  readonly sea: string;
  readonly output: string;
}

export function pack({ buildId, sea, output }: Packed): void {
  const packedStub = readFileSync(stub);
  const packedParts = collectParts(sea);
  const indexAt = packedStub.indexOf(magic);
  if (indexAt < 0) throw new Error("the stub has no pack index");
  if (packedParts.length > index.maxParts)
    throw new Error(`the pack index has no room for ${packedParts.length} parts`);
  const unfinished = `${output}.unfinished`;
  const file = openSync(unfinished, "w", 0o755);
  packedStub.write(buildId, indexAt + index.buildId, "hex");
  packedStub.writeUInt32LE(packedParts.length, indexAt + index.partCount);
  let offset = aligned(packedStub.length);
  packedParts.forEach((part, i) => {
    const at = indexAt + index.parts + i * index.partSize;
    if (part.name.length >= index.nameSize) throw new Error(`the name of ${part.name} is too long`);
    packedStub.writeBigUInt64LE(BigInt(offset), at);
    packedStub.writeBigUInt64LE(BigInt(part.bytes.length), at + 8);
    packedStub.writeUInt32LE(kinds[part.kind], at + 16);
    packedStub.write(part.name, at + 24, "latin1");
    writeWhole(file, part.bytes, offset);
    offset = aligned(offset + part.bytes.length);
  });
  writeWhole(file, packedStub, 0);
  ftruncateSync(file, offset); // so that the last part's last page can be mapped whole
  closeSync(file);
  renameSync(unfinished, output);
}

function writeWhole(file: number, bytes: Buffer, offset: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
}

function aligned(offset: number): number {
  return Math.ceil(offset / alignmentBytes) * alignmentBytes;
}

function collectParts(sea: string): Part[] {
  return [
    { kind: "node", name: "node", bytes: readFileSync(sea) },
    { kind: "loader", name: basename(loader), bytes: deafLoader() },
    ...libraries().map((path): Part => ({ kind: "library", name: basename(path), bytes: readFileSync(path) })),
    { kind: "addon", name: "landlock_napi.node", bytes: readFileSync(addonPrebuild) },
  ];
}

/** The shared libraries of Node on this machine, as ldd(1) lists them. */
export function libraries(): string[] {
  const listed = run("ldd", [strippedNode]);
  const missing = /^\s*(\S+) => not found$/m.exec(listed);
  if (missing !== null) throw new Error(`Node's library ${missing[1]} is not installed`);
  return [...listed.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? "");
}

/**
 * ld.so without the host: blanked are the files by which a host steers it, and the folders in which it searches when a
 * library of ours cannot be mapped; what it found there would run in our process.
 */
function deafLoader(): Buffer {
  const bytes = readFileSync(loader);
  for (const path of ["/etc/ld.so.preload", "/etc/ld.so.cache"]) blank(bytes, [path], 0);
  // The leading slash stays: ld.so takes it for a folder in which nothing can be opened.
  blank(bytes, loaderFolders, 1);
  return bytes;
}

/** Zeroes each occurrence of the strings that stand one behind the other, but for their first `kept` bytes. */
function blank(bytes: Buffer, strings: readonly string[], kept: number): void {
  const run = Buffer.from(strings.map((string) => `${string}\0`).join(""), "latin1");
  let at = bytes.indexOf(run);
  if (at < 0) throw new Error(`${loader} does not hold ${strings.join(", ")}`);
  for (; at >= 0; at = bytes.indexOf(run, at + 1)) {
    let start = at;
    for (const string of strings) {
      bytes.fill(0, start + kept, start + string.length);
      start += string.length + 1;
    }
  }
}
