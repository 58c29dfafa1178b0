/**
 * A program that uses the library: `library-child.mjs LIBRARY EXECUTABLE ACTION`.
 *
 * Runs:     in end-to-end tests, as a process whose end is looked at.
 * Promises: prints a line for each step that the test waits for.
 */
const [, , library, executable, action] = process.argv;
const { createSandbox } = await import(library);
const settings = { filesystem: { defaultDenyRead: false } };
const sandbox = await createSandbox({ executable, settings });
const say = (text) => process.stdout.write(`${text}\n`);

/** A program that ends when it is killed alone, and holds this process's standard output until then. */
async function started() {
  const command = sandbox.spawn("sleep", ["1000000"], { stdio: ["ignore", "inherit", "inherit"] });
  await command.started;
  return command;
}

const actions = {
  /** The process ends by itself although the sandbox is open. */
  async forgets() {
    say((await sandbox.run("echo", ["done"])).stdout.trim());
  },
  async exits() {
    await started();
    say("ready");
    process.exit(3);
  },
  async throws() {
    await started();
    say("ready");
    setImmediate(() => {
      throw new Error("of the caller's");
    });
  },
  /** Until it is killed. */
  async waits() {
    await Promise.all([started(), started()]);
    say(`ready ${sandbox.pid}`);
  },
  async closes() {
    const commands = await Promise.all([started(), started()]);
    const starting = sandbox.spawn("sleep", ["1000000"], { stdio: ["ignore", "inherit", "inherit"] });
    await sandbox.close();
    for (const { exit } of [...commands, starting]) say(JSON.stringify(await exit));
    await sandbox.close();
  },
  /** What is told when the service is killed. */
  async fails() {
    const failed = new Promise((tell) => sandbox.once("failed", tell));
    const command = await started();
    process.kill(sandbox.pid, "SIGKILL");
    const told = (error) => `${error.code} ${error.message}`;
    say(told(await failed));
    say(await command.exit.catch(told));
    say(await sandbox.run("true").catch(told));
    try {
      sandbox.spawn("true");
    } catch (error) {
      say(told(error));
    }
    await sandbox.close();
  },
};

await actions[action]();
