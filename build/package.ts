/**
 * Puts together what `npm pack` packs: the executable, the library and the documents, and no source.
 *
 * Runs:     on the build machine.
 * Promises: whoever installs it gets no other package: what only the build needs is not among its dependencies.
 */
import { copyFileSync, cpSync, globSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { dist, fence, library, packageFolder, root } from "./paths.ts";

/** What a user's npm reads; everything else of package.json is for this project. */
const keys = ["name", "version", "description", "license", "type", "exports", "files", "engines", "os"] as const;

export function makePackage(): void {
  rmSync(packageFolder, { recursive: true, force: true });
  mkdirSync(`${packageFolder}/dist`, { recursive: true });
  const ours = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  const theirs = Object.fromEntries(keys.map((key) => [key, ours[key]]));
  const more = { cpu: [process.arch], bin: { fence: "dist/fence" } };
  writeFileSync(`${packageFolder}/package.json`, `${JSON.stringify({ ...theirs, ...more }, null, 2)}\n`);
  linkSync(fence, `${packageFolder}/dist/fence`); // 120 MB
  cpSync(dirname(library), `${packageFolder}/dist/library`, { recursive: true });
  cpSync(`${dist}/licenses`, `${packageFolder}/dist/licenses`, { recursive: true });
  mkdirSync(`${packageFolder}/docs`);
  const documents = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", ...globSync("docs/*.md", { cwd: root })];
  for (const path of documents) copyFileSync(`${root}/${path}`, `${packageFolder}/${path}`);
}
