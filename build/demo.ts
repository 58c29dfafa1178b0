/**
 * The demonstration: what this host can isolate, then real programs that try more than they were granted.
 *
 * Runs:     on the host (npm run demo). Needs bubblewrap and busybox; without bubblewrap it shows less, and says what.
 * Promises: prints what the programs really saw, with ports and the home directory by name; fails when anything was not as
 *           promised.
 */
import { spawnSync } from "node:child_process";
import type { CheckReport } from "../src/plan/check-report.ts";
import { showBootstrap } from "./demo-bootstrap.ts";
import { DemoGround } from "./demo-ground.ts";
import { showRun } from "./demo-run.ts";
import { fence } from "./paths.ts";

async function main(): Promise<number> {
  const report = check();
  if (report.verdict === "none") {
    console.error("demo: there is nothing that it could show here");
    return 1;
  }
  const ground = await DemoGround.make();
  try {
    const wrong = [...(await showRun(ground, report.verdict)), ...(await showBootstrap(ground))];
    if (wrong.length > 0) console.error(`demo: NOT as promised: ${wrong.join("; ")}`);
    else console.log("\nAs promised: what was granted worked, everything else was denied.");
    return wrong.length > 0 ? 1 : 0;
  } finally {
    ground.close();
  }
}

/** Prints what is missing with its remedy, and the verdict. */
function check(): CheckReport {
  console.log("What this host can isolate\n\n  fence check\n");
  const { stdout, stderr, error } = spawnSync(fence, ["check", "--json"], { encoding: "utf8" });
  if (error !== undefined || stdout === "") throw new Error(`fence check: ${error?.message ?? stderr}`);
  const report: CheckReport = JSON.parse(stdout);
  const { verdict, capabilities } = report;
  const fine = capabilities.filter(({ state }) => state === "ok").map(({ id }) => id);
  console.log(`  ok       ${fine.join(", ")}`);
  const others = capabilities.filter(({ state }) => state !== "ok");
  for (const [why, alike] of Map.groupBy(others, ({ says }) => says)) {
    const states = new Set(alike.map(({ state }) => state));
    console.log(`  ${[...states].join("/").padEnd(8)} ${alike.map(({ id }) => id).join(", ")}: ${why}`);
    for (const remedy of new Set(alike.flatMap(({ remedies }) => remedies))) console.log(`             ${remedy}`);
  }
  console.log(`\n  So fence run works here ${verdicts[verdict]}.`);
  return report;
}

const verdicts: Readonly<Record<CheckReport["verdict"], string>> = {
  strict: "with strict isolation",
  "best-effort": "with --isolation best-effort",
  landlock: "with --backend landlock only: by the kernel's rules for files and TCP ports, without namespaces",
  none: "not at all",
};

process.stdout.on("error", () => {}); // whoever reads no further, as head(1), is not to keep us from cleaning up
process.exitCode = await main();
