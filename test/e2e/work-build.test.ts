import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { users } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import { tool, workplace } from "../kit/workplace.ts";

beforeEach(requires("bwrap"));

const writesHere = { options: ["--allow-write", "."] };

describe.for(users)("as %s", (user) => {
  beforeEach(requires("root", "unprivileged bwrap", "setpriv"));

  test("make builds a C program, in parallel, and cannot install it", async () => {
    const work = workplace(user);
    work.write("project/main.c", "void say(void);\nint main(void) { say(); return 0; }\n");
    work.write("project/say.c", '#include <stdio.h>\nvoid say(void) { puts("built here"); }\n');
    work.write(
      "project/Makefile",
      "hello: main.o say.o\n\t$(CC) -o $@ $^\ninstall: hello\n\tcp hello $(HOME)/hello\ncheck: hello\n\t./hello\n",
    );
    const built = await work.run(["make", "-s", "-j2", "check"], writesHere);
    expect(built).toMatchObject({ status: 0, stdout: "built here\n", stderr: "" });
    expect(tool(["./hello"], work.project)).toBe("built here\n");
    const installed = await work.run(["make", "-s", "install"], writesHere);
    expect(installed).toMatchObject({ status: 2, stderr: expect.stringContaining("Read-only file system") });
    expect(existsSync(join(work.home, "hello"))).toBe(false);
    expect(await work.run(["make", "-s", "install"], { through: "nothing" })).toMatchObject({ status: 0 });
    expect(existsSync(join(work.home, "hello"))).toBe(true);
  });

  test("node runs a project's tests, which start processes and servers and use temporary files", async (context) => {
    requires("npm for every user")(context);
    const work = workplace(user);
    work.write(
      "project/it.test.mjs",
      `import { test } from "node:test";
       import assert from "node:assert";
       import { execFileSync } from "node:child_process";
       import { mkdtempSync, writeFileSync } from "node:fs";
       import { createServer } from "node:http";
       import { tmpdir } from "node:os";
       import { Worker } from "node:worker_threads";
       test("a child", () => assert.equal(execFileSync("echo", ["hello"], { encoding: "utf8" }), "hello\\n"));
       test("a temporary file", () => writeFileSync(mkdtempSync(tmpdir() + "/x") + "/file", "text"));
       test("a server", async () => {
         const server = createServer((_, response) => response.end("served"));
         await new Promise((done) => server.listen(0, done));
         const answer = await fetch("http://localhost:" + server.address().port);
         assert.equal(await answer.text(), "served");
         server.close();
       });
       test("a worker", (_, done) => void new Worker("0", { eval: true }).on("exit", () => done()));\n`,
    );
    const outcome = await work.run(["node", "--test"], writesHere);
    expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/^# pass 4$|^ℹ pass 4$/m) });
  });

  test("what is written keeps its owner, mode and times, as without fence", async () => {
    const work = workplace(user);
    const script =
      "umask 027; echo text > file; chmod u+x file; touch -d @1000000000 file; ln -s file link; mkfifo fifo";
    expect(await work.shell(script, writesHere)).toMatchObject({ status: 0, stderr: "" });
    const { uid, mode, mtimeMs } = statSync(join(work.project, "link"));
    expect({ uid, mode: mode & 0o777, mtimeMs }).toEqual({
      uid: statSync(work.project).uid,
      mode: 0o740,
      mtimeMs: 1e12,
    });
    expect(readFileSync(join(work.project, "file"), "utf8")).toBe("text\n");
  });
});
