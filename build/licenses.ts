/**
 * Puts the licences of all that is packed beside the executable.
 *
 * Runs:     on the build machine.
 * Source:   docs/third-party-notices.md
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { dist, nodePackage, root } from "./paths.ts";

/** Debian keeps the licence of each package's files in its documentation folder. */
export const licenseFiles: Readonly<Record<string, string>> = {
  "fence.txt": `${root}/LICENSE`,
  "node.txt": `${nodePackage}/LICENSE`,
  "glibc.txt": "/usr/share/doc/libc6/copyright",
  "libstdc++-libgcc-libatomic.txt": "/usr/share/doc/libstdc++6/copyright",
  "jsonc-parser.txt": `${root}/node_modules/jsonc-parser/LICENSE.md`,
  "third-party-notices.md": `${root}/docs/third-party-notices.md`,
};

export function copyLicenses(): void {
  mkdirSync(`${dist}/licenses`, { recursive: true });
  for (const [name, path] of Object.entries(licenseFiles)) copyFileSync(path, `${dist}/licenses/${name}`);
}
