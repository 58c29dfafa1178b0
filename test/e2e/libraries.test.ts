/**
 * The libraries of the packed Node: mapped where they lie, or copied into memory files where the kernel cannot help.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { beforeEach, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { host } from "../kit/sandbox.ts";
import { testFolder } from "../kit/test-folder.ts";

beforeEach(requires("strace"));

test("the kernel's help with the loader's system calls makes copies of the libraries needless", () => {
  const { memoryFiles, dispatch } = start();
  expect(memoryFiles).toEqual(["landlock_napi.node"]);
  expect(dispatch).toEqual(["PR_SYS_DISPATCH_ON", "PR_SYS_DISPATCH_OFF"]);
});

test("without that help Node starts from copies of the libraries", () => {
  // Linux before 5.11, or a seccomp filter. The stub's first prctl(2), when it does not become the program, is this one.
  const { memoryFiles } = start("--inject=prctl:error=EINVAL:when=1");
  expect(memoryFiles).toContain("libc.so.6");
  expect(memoryFiles).toContain("libstdc++.so.6");
});

test("a memory file that the kernel is not ready to seal is tried again, but not for ever", () => {
  // After three calls for the standard descriptors the fourth fcntl(2) seals the addon's memory file.
  expect(refusedSeals("4")).toEqual({ status: 0, refused: 1 });
  expect(refusedSeals("4+")).toEqual({ status: 125, refused: 10 });
});

test("an inherited blocked SIGSYS does not keep Node from starting, and stays blocked for it", () => {
  const blocked = ["env", "--block-signal=SYS", "--ignore-signal=SYS"];
  const { status, stdout } = spawnSync(blocked[0] ?? "", [...blocked.slice(1), host.fence, "--version"], {
    encoding: "utf8",
  });
  expect(stdout).toMatch(/^fence /);
  expect(status).toBe(0);
  expect(lastMaskBeforeNode(blocked)).toContain("SYS");
});

function start(...options: readonly string[]) {
  const { status, log } = trace(options, "memfd_create,prctl", []);
  expect(status).toBe(0);
  return {
    memoryFiles: [...log.matchAll(/memfd_create\("([^"]+)"/g)].map(([, name]) => name),
    dispatch: [...log.matchAll(/PR_SYS_DISPATCH_\w+/g)].map(([word]) => word),
  };
}

function refusedSeals(when: string) {
  const { status, log } = trace([`--inject=fcntl:error=EBUSY:when=${when}`], "fcntl", []);
  return { status, refused: log.match(/F_ADD_SEALS.*INJECTED/g)?.length ?? 0 };
}

/** What the stub set last, before Node itself changes it. */
function lastMaskBeforeNode(command: readonly string[]): string {
  const { log } = trace([], "rt_sigprocmask,prctl", command);
  const [, after = ""] = log.split("PR_SYS_DISPATCH_OFF");
  return /rt_sigprocmask\(SIG_SETMASK, (\[[^\]]*\])/.exec(after)?.[1] ?? "";
}

function trace(options: readonly string[], calls: string, command: readonly string[]) {
  const output = `${testFolder()}/strace-libraries`;
  const traced = [...command, host.fence, "--version"];
  const { status } = spawnSync("strace", ["-f", "-o", output, `--trace=${calls}`, ...options, ...traced]);
  return { status, log: readFileSync(output, "utf8") };
}
