import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import addon from "landlock-napi/addon";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { hostPath } from "../../src/base/paths.ts";
import { MountPoints } from "../../src/launcher/left-behind.ts";
import { requires } from "../kit/requires.ts";
import { folder } from "../kit/sandbox.ts";

const uid = process.geteuid?.() ?? 0;

beforeEach(requires("bwrap"));

test("bwrap leaves a mount point behind on a directory of the host that it shows", async () => {
  const point = join(folder(), "fence");
  const sandbox = await Sandbox.on(point);
  await sandbox.end();
  expect(existsSync(point)).toBe(true);
});

test("removing a mount point takes the mount from a sandbox that runs", async () => {
  const point = join(folder(), "fence");
  const sandbox = await Sandbox.on(point);
  rmdirSync(point);
  expect(await sandbox.look()).toBe("gone");
  await sandbox.end();
});

test("so the last of the sandboxes removes it, and nothing is left", async () => {
  const point = join(folder(), "fence");
  const [first, second] = [held(point), held(point)];
  const [one, other] = [await Sandbox.on(point), await Sandbox.on(point)];
  await one.end();
  first.release();
  expect(await other.look()).toBe("there");
  await other.end();
  second.release();
  expect(existsSync(point)).toBe(false);
});

function held(path: string): MountPoints {
  const points = new MountPoints(addon, [hostPath(path)], uid);
  onTestFinished(() => points.release());
  return points;
}

/** Shows the directory above the mount point writable, with a tmpfs on the mount point and a file in that. */
class Sandbox {
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  static async on(point: string): Promise<Sandbox> {
    const sandbox = new Sandbox(point);
    expect(await sandbox.look()).toBe("there");
    return sandbox;
  }

  private constructor(point: string) {
    const above = join(point, "..");
    const mounts = ["--ro-bind", "/", "/", "--bind", above, above, "--tmpfs", point];
    const script = 'touch "$0/file"; while read -r line; do test -e "$0/file" && echo there || echo gone; done';
    this.#child = spawn("bwrap", [...mounts, "--die-with-parent", "--", "/bin/sh", "-c", script, point], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    onTestFinished(() => void this.#child.kill("SIGKILL"));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async look(): Promise<string> {
    this.#child.stdin.write("look\n");
    return (await this.#lines.next()).value;
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await once(this.#child, "close");
  }
}
