/**
 * Other sandbox launchers, as npm has them. They are not part of fence.
 *
 * Runs:     on the host (npm run bench).
 * Promises: pinned versions, in a folder that is removed with the bench; what cannot be installed or does not run here is
 *           said, and not measured.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { packedNode } from "../../build/paths.ts";

/** https://www.npmjs.com: name, version. */
const packages = { codex: "@openai/codex@0.169.0", srt: "@anthropic-ai/sandbox-runtime@0.0.83" };

export interface NpmPeer {
  readonly name: string;
  /** What runs /bin/true in its sandbox. */
  readonly command: readonly [string, ...string[]];
  /** Added to our own. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Installs them into `folder`, not in /tmp, which codex refuses. */
export function installNpmPeers(folder: string): readonly NpmPeer[] {
  const wanted = Object.values(packages);
  const options = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"];
  const { status, stderr, error } = spawnSync("npm", ["install", "--prefix", folder, ...options, ...wanted], {
    encoding: "utf8",
  });
  if (status !== 0) {
    console.log(
      `not measured, since npm cannot install them: ${wanted.join(", ")}: ${error?.message ?? stderr.trim()}`,
    );
    return [];
  }
  const home = `${folder}/home`;
  mkdirSync(home, { recursive: true });
  const environment = { HOME: home, CODEX_HOME: home };
  const modules = `${folder}/node_modules`;
  const codexProgram = `${modules}/@openai/codex-linux-${process.arch}/vendor/${target()}/bin/codex`;
  const codexWords = ["sandbox", "--", "/bin/true"];
  const peers: readonly NpmPeer[] = [
    {
      name: "codex sandbox",
      command: [packedNode, `${modules}/@openai/codex/bin/codex.js`, ...codexWords],
      environment,
    },
    { name: "codex sandbox, its program alone", command: [codexProgram, ...codexWords], environment },
    {
      name: "srt",
      command: [packedNode, `${modules}/@anthropic-ai/sandbox-runtime/dist/cli.js`, "/bin/true"],
      environment,
    },
  ];
  return peers.filter(runs);
}

/** Whether it does what it is measured for. */
function runs({ name, command: [file, ...args], environment }: NpmPeer): boolean {
  const ran = spawnSync(file, args, { encoding: "utf8", env: { ...process.env, ...environment } });
  if (ran.status === 0) return true;
  const why = existsSync(file) ? (ran.error?.message ?? ran.stderr.trim()) : `${file} is not there`;
  console.log(`not measured, since it does not run /bin/true here: ${name}: ${why}`);
  return false;
}

function target(): string {
  return process.arch === "arm64" ? "aarch64-unknown-linux-musl" : "x86_64-unknown-linux-musl";
}
