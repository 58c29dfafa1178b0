/**
 * Learns which functions a start calls: the bytecode of all others would be read at every start for nothing.
 *
 * Runs:     on the build machine, in an executable of its own, which writes down what it has compiled.
 * Promises: where bubblewrap makes no sandbox the code caches hold all functions, and the build says so.
 * Source:   docs/performance.md; src/packed-part.ts writes the caches
 */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { makeCache } from "./code-cache.ts";
import { pack } from "./pack.ts";
import { type PartName, partBundle, partNames, training, trainingBundle } from "./paths.ts";
import { makeSea } from "./sea.ts";

type PartCaches = Readonly<Record<PartName, string>>;

const sea = `${training}/sea`;
const executable = `${training}/fence`;
const patienceMs = 10_000;

/** The files with the code cache of each part. */
export async function makeCaches(buildId: string): Promise<PartCaches> {
  const all = eachPart((name) => `${training}/${name}.all`);
  for (const name of partNames) makeCache(partBundle(name), all[name]);
  const learnt = eachPart((name) => `${training}/${name}.cache`);
  for (const name of partNames) rmSync(learnt[name], { force: true });
  makeSea({ main: trainingBundle, caches: eachPart((name) => `${all[name]}.plain`), output: sea });
  pack({ buildId, sea, output: executable });
  try {
    await train(learnt);
    return { ...all, launch: learnt.launch, "set-up": learnt["set-up"] };
  } catch (error) {
    console.warn(
      `build: the code caches hold all functions, each start takes 3 ms longer: ${(error as Error).message}`,
    );
    return all;
  } finally {
    for (const large of [sea, executable]) rmSync(large);
  }
}

function eachPart(path: (name: PartName) => string): PartCaches {
  return Object.fromEntries(partNames.map((name) => [name, path(name)])) as PartCaches;
}

/** A launch and a set-up with what is not rare. What relays is not waited for, and is not always the same. */
async function train(learnt: PartCaches): Promise<void> {
  const settings = `${training}/fence.json`;
  writeFileSync(settings, '{ "extends": "code" }\n');
  const nobody = `unix:${training}/nobody.sock`;
  const proxies = ["--http-proxy", nobody, "--socks-proxy", nobody];
  // It is its own program: the one that is certainly there, and needs no part for this.
  const program = (path: string) => ["--", path, "--version"];
  start(executable, ["run", "--settings", settings, ...proxies, ...program("/tmp/fence/bin/fence")]);
  const ownPorts = ["--unshare-net", "--dev-bind", "/", "/", "--"];
  start("bwrap", [...ownPorts, executable, "bootstrap", "--init", "--rox", "/", ...proxies, ...program(executable)]);
  await written(learnt.launch);
  await written(learnt["set-up"]);
}

function start(command: string, args: readonly string[]): void {
  const { error, status, signal, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: patienceMs });
  if (error !== undefined) throw new Error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status ?? signal}\n${stderr}`);
}

/** fence ends before the Node that writes it. */
async function written(path: string): Promise<void> {
  for (const started = performance.now(); !existsSync(path); ) {
    if (performance.now() - started > patienceMs) throw new Error(`nobody has written ${path}`);
    await setTimeout(10);
  }
}
