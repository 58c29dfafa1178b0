/**
 * Files for one test.
 *
 * Runs:     in tests.
 * Promises: a fresh directory each time, removed when the test ends.
 */
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Each makes something in the directory and answers its path. */
export interface Files {
  readonly directory: string;
  make(name: string, content: string | Buffer, mode?: number): string;
  folder(name: string, mode?: number): string;
  link(name: string, target: string): string;
}

export function files(): Files {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "fence-")));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const at = (name: string) => join(directory, name);
  return {
    directory,
    make: (name, content, mode = 0o755) => {
      writeFileSync(at(name), content);
      chmodSync(at(name), mode);
      return at(name);
    },
    folder: (name, mode = 0o755) => {
      mkdirSync(at(name), { recursive: true });
      chmodSync(at(name), mode);
      return at(name);
    },
    link: (name, target) => {
      symlinkSync(target, at(name));
      return at(name);
    },
  };
}
