import {
  type Command,
  createSandbox,
  type EffectiveIsolation,
  type ExitStatus,
  FenceError,
  type RunResult,
  type Sandbox,
  type SandboxOptions,
  type Settings,
} from "fence";

const settings: Settings = { network: { allowedDomains: [] }, filesystem: { allowWrite: [] } };
const options: SandboxOptions = { settings, isolation: "strict" };

async function main(): Promise<void> {
  const sandbox: Sandbox = await createSandbox(options);
  sandbox.on("denied", ({ text, command }) => console.error(text, command?.pid));
  sandbox.on("failed", (error: FenceError) => console.error(error.code));
  try {
    const isolation: EffectiveIsolation = sandbox.effectiveIsolation;
    if (isolation.reduced) throw new Error("less than asked for");
    const result: RunResult = await sandbox.run("echo", ["hello"]);
    console.log(result.stdout.trim());
    const bytes: Buffer = (await sandbox.run("true", [], { encoding: "buffer" })).stdout;
    if (bytes.length !== 0) throw new Error("true has written something");
    await sandbox.run("no-such-program").catch((error: unknown) => {
      if (!(error instanceof FenceError) || error.exitStatus === 125) throw error;
      const hint: string | undefined = error.hint;
      console.log(hint === undefined ? "without a hint" : "cannot run");
    });
    await ended(sandbox);
  } finally {
    await sandbox.close();
  }
}

async function ended(sandbox: Sandbox): Promise<void> {
  const piped = sandbox.spawn("cat");
  piped.stdin.end("piped");
  piped.stdout.resume();
  const status: ExitStatus = await piped.exit;
  const quiet: Command = sandbox.spawn("true", [], { stdio: ["ignore", "inherit", "inherit"] });
  if (quiet.stdin !== null || status.status !== 0) throw new Error("not as it should be");
  await quiet.exit;
  console.log("ended");
}

await main();
