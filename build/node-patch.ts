/**
 * Gives the packed Node a faster primality test: every start of V8 14.6 draws three primes with a very slow one.
 *
 * Runs:     on the build machine, before Node's symbols are stripped.
 * Promises: changes nothing but that test, whose answers stay the same; a Node with other code is refused, so that an
 *           update of Node looks here: its V8 may test fast by itself, and then this can go.
 * Source:   docs/performance.md
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { strictFlags } from "./native.ts";
import { packedNode, parts, root } from "./paths.ts";
import { run } from "./run.ts";

/** V8's function in one build of Node. The offsets are from its start. */
interface KnownFunction {
  readonly symbol: string;
  readonly sha256: string;
  readonly glue: string;
  /** Where the test of a candidate starts; all from there to `testEnd` is only reached through it. */
  readonly testStart: number;
  readonly testEnd: number;
  readonly nextSecret: number;
  readonly nextCandidate: number;
}

const known: Readonly<Record<string, KnownFunction>> = {
  x64: {
    symbol: "_ZN2v88internal8HashSeed15InitializeRootsEPNS0_7IsolateE",
    sha256: "78bcf8d61c3b58b2d59c72434447a31f9882aa57d510a540710b122c46975fc2",
    glue: "hash-seed-x64.S",
    testStart: 0x360,
    testEnd: 0x16e0,
    nextSecret: 0x60,
    nextCandidate: 0x73,
  },
};

/** Patches `node`, a copy of the packed Node whose program headers are unchanged. */
export function patchNode(node: string): void {
  const target = known[process.arch];
  if (target === undefined) return;
  const { address, size } = findSymbol(target.symbol);
  const bytes = readFileSync(node);
  const at = fileOffset(bytes, address);
  const found = createHash("sha256")
    .update(bytes.subarray(at, at + size))
    .digest("hex");
  if (found !== target.sha256) {
    throw new Error(
      `${target.symbol} of this Node is not the one that is known (SHA-256 ${found}): see build/node-patch.ts`,
    );
  }
  const code = primalityTest(target, address);
  const room = target.testEnd - target.testStart;
  if (code.length > room) throw new Error(`the primality test has ${code.length} bytes, there is room for ${room}`);
  code.copy(bytes, at + target.testStart);
  writeFileSync(node, bytes);
}

function findSymbol(symbol: string): { readonly address: number; readonly size: number } {
  const line = run("nm", ["--print-size", packedNode])
    .split("\n")
    .find((candidate) => candidate.endsWith(` ${symbol}`));
  if (line === undefined) throw new Error(`this Node has no ${symbol}: see build/node-patch.ts`);
  const [address = "", size = ""] = line.split(" ");
  return { address: Number.parseInt(address, 16), size: Number.parseInt(size, 16) };
}

/** Where the address is in the file, elf(5). */
function fileOffset(elf: Buffer, address: number): number {
  const table = Number(elf.readBigUInt64LE(32));
  const [entrySize, count] = [elf.readUInt16LE(54), elf.readUInt16LE(56)];
  for (let header = table; header < table + count * entrySize; header += entrySize) {
    const [offset, start] = [Number(elf.readBigUInt64LE(header + 8)), Number(elf.readBigUInt64LE(header + 16))];
    const length = Number(elf.readBigUInt64LE(header + 32));
    const isLoaded = elf.readUInt32LE(header) === 1; // PT_LOAD
    if (isLoaded && address >= start && address < start + length) return address - start + offset;
  }
  throw new Error(`address ${address.toString(16)} is in no segment of Node`);
}

/** The machine code, linked to run at its place in Node. */
function primalityTest(target: KnownFunction, address: number): Buffer {
  const linked = `${parts}/node-patch`;
  const place = (offset: number) => `0x${(address + offset).toString(16)}`;
  run("cc", [
    ...strictFlags,
    ...["-Os", "-ffreestanding", "-nostdlib", "-static", "-no-pie"],
    ...["-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables"],
    ...["-Wl,--build-id=none", "-Wl,-e,fence_patch", `-Wl,-Ttext=${place(target.testStart)}`],
    `-Wl,--defsym=node_next_secret=${place(target.nextSecret)}`,
    `-Wl,--defsym=node_next_candidate=${place(target.nextCandidate)}`,
    ...["-o", linked, `${root}/native/node-patch/${target.glue}`, `${root}/native/node-patch/is-prime.c`],
  ]);
  if (Number(readFileSync(linked).readBigUInt64LE(24)) !== address + target.testStart) {
    throw new Error("the primality test was linked behind something else"); // the ELF entry point is its first instruction
  }
  const sections = run("objdump", ["-h", linked]);
  if (/\.(ro)?data|\.bss/.test(sections)) throw new Error(`the primality test needs more than code:\n${sections}`);
  run("objcopy", ["-O", "binary", "--only-section=.text", linked, `${linked}.bin`]);
  return readFileSync(`${linked}.bin`);
}
