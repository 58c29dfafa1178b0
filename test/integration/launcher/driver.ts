/**
 * Asks the launcher's functions about the place that it runs in, and prints the answer as JSON.
 *
 * Runs:     in tests, inside of whatever sandbox or container the test made:
 *           `node driver.ts check|start|namespaces|again FENCE`.
 */
import { hostPath } from "../../../src/base/paths.ts";
import { type BwrapFile, locateBwrap } from "../../../src/launcher/bwrap.ts";
import type { FailureGround } from "../../../src/launcher/bwrap-failure.ts";
import { findNamespaces, tryStarts } from "../../../src/launcher/capabilities.ts";
import { hasSeccomp, readGround } from "../../../src/launcher/capabilities-ground.ts";
import { check } from "../../../src/launcher/check.ts";
import {
  decideIsolation,
  type IsolationDecision,
  type IsolationRequest,
  preflight,
} from "../../../src/launcher/isolation.ts";
import { namespaceLayers } from "../../../src/plan/namespaces.ts";
import { runChild } from "../../../src/sys/child.ts";
import { hostFiles } from "../../../src/sys/host-files.ts";
import { isolationPolicy } from "../../kit/host-fixtures.ts";

const [, , question, executable = ""] = process.argv;

async function answer(): Promise<unknown> {
  if (question === "check") {
    return check({
      files: hostFiles,
      run: runChild,
      environment: process.env,
      executable: hostPath(executable),
    });
  }
  const bwrap = locateBwrap(process.env["PATH"], hostFiles);
  const ground = () => ({ ...readGround(hostFiles, process.env), setUserId: bwrap.setUserId });
  if (question === "again") return again(bwrap, ground);
  const start = tryStarts(bwrap, runChild, ground);
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

/** With best-effort: a start with everything, and another with what the pre-flight has found. */
async function again(bwrap: BwrapFile, ground: () => FailureGround) {
  const request: IsolationRequest = {
    isolation: isolationPolicy("best-effort"),
    ...{ hostNetwork: false, newSession: false, landlockAbi: 7, seccomp: hasSeccomp(hostFiles) },
  };
  const start = ({ bwrapArgs, procArgs }: IsolationDecision) =>
    runChild({
      file: bwrap.path,
      args: [...bwrapArgs, "--ro-bind", "/", "/", ...procArgs, "--", bwrap.path, "--version"],
      timeoutMs: 10_000,
    });
  const first = await start(decideIsolation(request));
  if (first.kind !== "ended") return { first };
  const decision = await preflight(request, bwrap, { run: runChild, ground });
  return { first, second: await start(decision), effective: decision.effective };
}

process.stdout.write(JSON.stringify(await answer()));
