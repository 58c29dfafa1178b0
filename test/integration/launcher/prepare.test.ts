import { closeSync, fstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { afterEach, expect, test } from "vitest";
import { hostPath, sandboxPath } from "../../../src/base/paths.ts";
import { madeSince, prepare } from "../../../src/launcher/prepare.ts";
import type { MountPlan, MountStep } from "../../../src/plan/mounts.ts";
import { failure } from "../../kit/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "prepare-"));
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
});

const file = { kind: "empty-file", to: sandboxPath("/etc/shadow") } as const;
const decoy = { kind: "decoy", to: sandboxPath("/home/u/.netrc"), decoy: "netrc" } as const;

function planOf(steps: readonly MountStep[]): Pick<MountPlan, "mounts"> {
  return { mounts: steps.map((step) => ({ step, phase: "mask", because: "a test" }) as const) };
}

/** Counts what is opened and closed, and fails where a test says so. */
function doors(failures: { sealedFile?: number } = {}) {
  const closed: number[] = [];
  let made = 0;
  return {
    closed,
    sealedFile: (bytes: Buffer) => {
      made += 1;
      return made === failures.sealedFile ? -24 : addon.sealedFile(bytes);
    },
    closeDescriptor: (descriptor: number) => {
      closed.push(descriptor);
      return addon.closeDescriptor(descriptor);
    },
  };
}

test("each prepared step has a descriptor that is read from its start; empty files share one", () => {
  const another = { ...file, to: sandboxPath("/etc/gshadow") };
  const used = doors();
  const preparation = prepare(planOf([file, { kind: "proc", to: sandboxPath("/proc") }, decoy, another]), used);
  expect(preparation.files.map(({ step }) => step)).toEqual([file, decoy, another]);
  expect(preparation.files[2]?.descriptor).toBe(preparation.files[0]?.descriptor);
  const [empty, filled] = preparation.files.map(({ descriptor }) => readFileSync(descriptor, "utf8"));
  expect(empty).toBe("");
  expect(filled).toMatch(/^machine github\.com\n/);
  preparation.close();
  expect(used.closed.length).toBe(2);
});

test("nobody can change what is prepared", () => {
  const { files, close } = prepare(planOf([decoy]), doors());
  expect(() => writeFileSync(`/proc/self/fd/${files[0]?.descriptor}`, "x")).toThrow("EPERM");
  close();
});

test("close gives the descriptors back, once", () => {
  const { files, close } = prepare(planOf([file, decoy]), doors());
  const descriptors = files.map(({ descriptor }) => descriptor);
  close();
  for (const descriptor of descriptors) expect(() => fstatSync(descriptor)).toThrow("EBADF");
  close();
});

test("the first failure names step, path, call and errno, keeps the content to itself, and leaves nothing open", () => {
  const failing = doors({ sealedFile: 2 });
  const error = failure(() => prepare(planOf([file, decoy]), failing));
  expect(error).toMatchObject({
    code: "FENCE_PREPARE",
    details: { step: "prepare-decoy", path: "/home/u/.netrc", syscall: "memfd_create", errno: "EMFILE" },
  });
  expect(error.message).toBe("cannot make the decoy for /home/u/.netrc: memfd_create: EMFILE (too many open files)");
  expect(JSON.stringify(error)).not.toContain("ghp_");
  expect(failing.closed.length).toBe(1);
});

test("what was made while the program ran is found", () => {
  const made = join(folder, ".bashrc");
  const paths = [made, join(folder, ".zshrc")].map(hostPath);
  expect(madeSince(paths)).toEqual([]);
  writeFileSync(made, "");
  expect(madeSince(paths)).toEqual([made]);
});

test("a descriptor is not inherited by what is started", () => {
  const { files, close } = prepare(planOf([file]), doors());
  const flags = readFileSync(`/proc/self/fdinfo/${files[0]?.descriptor}`, "utf8");
  expect(Number.parseInt(/flags:\s*(\d+)/.exec(flags)?.[1] ?? "0", 8) & 0o2000000).not.toBe(0);
  close();
  expect(() => closeSync(files[0]?.descriptor ?? -1)).toThrow();
});
