import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import addon from "landlock-napi/addon";
import { afterAll, describe, expect, test } from "vitest";
import { run } from "../../build/run.ts";
import { hostView, parseMounts } from "../../src/sys/host-view.ts";

const folder = mkdtempSync(join(tmpdir(), "view-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("tells what is at a path, without following it", async () => {
  const at = (name: string) => join(folder, name);
  mkdirSync(at("d"));
  writeFileSync(at("f"), "text");
  linkSync(at("f"), at("h"));
  symlinkSync("f", at("l"));
  chmodSync(at("d"), 0o750);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(at("s"), resolve));
  const view = hostView(addon);
  expect(view.entry(at("l"))).toEqual({ type: "symlink", target: "f" });
  expect(view.entry(at("d"))).toMatchObject({ type: "directory", mode: 0o750, uid: process.getuid?.() });
  const [file, link] = [view.entry(at("f")), view.entry(at("h"))];
  expect(file).toMatchObject({ type: "file", links: 2 });
  expect(link).toEqual(file);
  expect(view.entry(at("s"))?.type).toBe("socket");
  expect(view.entry("/dev/null")?.type).toBe("device");
  expect(view.entry(at("none"))).toBeNull();
  expect(view.entry(at("f/below"))).toBeNull();
  const listed = view.list(folder)?.map(({ name, type }) => `${name} ${type}`);
  expect(listed).toEqual(["d directory", "f file", "h file", "l symlink", "s socket"]);
  expect(view.list(at("f"))).toBeNull();
  mkdirSync(at("d/many"));
  const names = Array.from({ length: 1500 }, (_, index) => `${index}${"-".repeat(40)}`);
  for (const name of names) writeFileSync(join(at("d/many"), name), "");
  expect(view.list(at("d/many"))).toEqual(names.sort().map((name) => ({ name, type: "file" })));
  await new Promise((resolve) => server.close(resolve));
});

test("tells which of many names are in a directory, or below it", () => {
  mkdirSync(join(folder, "many/below"), { recursive: true });
  symlinkSync("nowhere", join(folder, "many/broken"));
  const view = hostView(addon);
  const names = ["none", "broken", "below/none", "../many", "below"];
  expect(view.present(join(folder, "many"), names)).toEqual(["broken", "../many", "below"]);
  expect(view.present(join(folder, "many"), ["none"])).toEqual([]);
  expect(view.present(join(folder, "many"), [])).toEqual([]);
  expect(view.present(join(folder, "none"), names)).toEqual([]);
  expect(view.present("/", ["/dev/null", "/none", "proc"])).toEqual(["/dev/null", "proc"]);
});

test("reads small files and nothing larger, and follows no symlink", () => {
  writeFileSync(join(folder, "small"), "gitdir: x\n");
  writeFileSync(join(folder, "large"), "x".repeat(4097));
  symlinkSync("small", join(folder, "link"));
  const view = hostView(addon);
  expect(view.text(join(folder, "small"))).toBe("gitdir: x\n");
  for (const name of ["large", "link", "none"]) expect(view.text(join(folder, name))).toBeNull();
});

test("asks the kernel once for each path", () => {
  const path = join(folder, "later");
  const view = hostView(addon);
  expect(view.entry(path)).toBeNull();
  writeFileSync(path, "");
  expect(view.entry(path)).toBeNull();
  expect(hostView(addon).entry(path)?.type).toBe("file");
});

test("knows the mounts, with spaces in their names", () => {
  expect(hostView(addon).mounts.some(({ point }) => point === "/")).toBe(true);
  const line = "36 35 98:0 /mnt\\0401 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n";
  expect(parseMounts(line)).toEqual([{ device: "98:0", root: "/mnt 1", point: "/mnt 2", type: "ext3" }]);
});

describe("where no more files can be opened, or memory ran out, nothing is said to be absent", () => {
  test.for([-12, -23, -24])("by the addon's calls (%i)", (errno) => {
    const view = hostView({
      pathFacts: () => errno,
      linkTarget: () => errno,
      presentIn: () => errno,
      listDirectory: () => errno,
    });
    for (const ask of [() => view.entry(folder), () => view.present(folder, ["any"]), () => view.list(folder)])
      expect(ask).toThrow(expect.objectContaining({ code: "FENCE_MOUNTS", message: expect.stringContaining(folder) }));
  });

  test("of a symlink that was there", () => {
    const view = hostView({
      pathFacts: () => 0o120777,
      linkTarget: () => -12,
      presentIn: () => 0,
      listDirectory: () => 0,
    });
    expect(() => view.entry(folder)).toThrow(`cannot look at ${folder}: readlink: ENOMEM`);
  });

  test("by the others, and by the kernel", () => {
    const asked = `import addon from "landlock-napi/addon";
      import { hostView } from "./src/sys/host-view.ts";
      import { openSync } from "node:fs";
      const view = hostView(addon);
      const asks = ["list", "text", "mounts"].map((name) => () => (name === "mounts" ? view.mounts : view[name]("/")));
      asks.push(() => view.present("/", ["proc"]));
      const said = () => asks.map((ask) => { try { ask(); return "answered"; } catch ({ code, message }) { return code + message; } });
      hostView(addon).mounts; // what is loaded on demand is there
      const errors = [];
      try { for (;;) openSync("/dev/null"); } catch {}
      console.log(JSON.stringify(said()));`;
    const program = ["--input-type=module", "--eval", asked];
    const words = JSON.parse(run("prlimit", ["--nofile=128:128", process.execPath, ...program]));
    for (const word of words) expect(word).toMatch(/^FENCE_MOUNTScannot (look at|read) .*: open: EMFILE/);
  });
});
