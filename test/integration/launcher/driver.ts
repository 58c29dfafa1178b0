/**
 * Asks the launcher's functions about the place that it runs in, and prints the answer as JSON.
 *
 * Runs:     in tests, inside of whatever sandbox or container the test made: `node driver.ts check|start|namespaces FENCE`.
 */
import { hostPath } from "../../../src/base/paths.ts";
import { findBwrap } from "../../../src/launcher/bwrap.ts";
import { findNamespaces, tryStarts } from "../../../src/launcher/capabilities.ts";
import { readGround } from "../../../src/launcher/capabilities-ground.ts";
import { check } from "../../../src/launcher/check.ts";
import { namespaceLayers } from "../../../src/plan/namespaces.ts";
import { runChild } from "../../../src/sys/child.ts";
import { hostFiles } from "../../../src/sys/host-files.ts";

const [, , question, executable = ""] = process.argv;
const doors = { files: hostFiles, run: runChild, environment: process.env, executable: hostPath(executable) };

async function answer(): Promise<unknown> {
  if (question === "check") return check(doors);
  const bwrap = await findBwrap(process.env["PATH"], doors);
  const ground = { ...readGround(hostFiles, process.env), setUserId: bwrap.setUserId };
  const start = tryStarts(bwrap, runChild, () => ground);
  const everything = { layers: new Set(namespaceLayers), proc: "own" } as const;
  if (question === "start") return start(everything);
  const { works, failures, procFailure, startFailure } = await findNamespaces(everything, start);
  return {
    works: works === null ? null : { layers: [...works.layers], proc: works.proc },
    failures: Object.fromEntries([...failures].map(([layer, { id }]) => [layer, id])),
    proc: procFailure?.id ?? null,
    start: startFailure?.id ?? null,
  };
}

process.stdout.write(JSON.stringify(await answer()));
