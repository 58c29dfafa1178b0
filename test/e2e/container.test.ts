import { beforeEach, expect, test } from "vitest";
import { requires } from "../kit/requires.ts";
import { arranged, bootstrap, fenced, run, unfenced } from "../kit/sandbox.ts";
import { container, crunNeeds } from "../kit/sandbox-oci.ts";

beforeEach(requires(...crunNeeds));

const fencesVariable = ["add-variable", "FENCE_SANDBOX=1"];

test("as the entry point of a scratch image fence becomes the program, PID 1", async () => {
  expect(await fenced(container(), [], ["facts"])).toMatchObject({ pid: 1, ppid: 0, noNewPrivs: 1, seccompMode: 2 });
});

test.for([
  { what: "as root", options: {} },
  { what: "as another user", options: { user: { uid: 1234, gid: 4321 } } },
  { what: "with a capability", options: { capabilities: ["CAP_NET_BIND_SERVICE"] } },
  { what: "with an environment", options: { env: ["A=1", "HOME=/", "NODE_OPTIONS=--no-such-option"] } },
])("the program's facts are those of a direct exec, $what", async ({ options }) => {
  const without = await unfenced(arranged(container(options), ...fencesVariable), ["facts"]);
  const withFence = await fenced(arranged(container(options)), [], ["facts"]);
  expect(withFence).toEqual({ ...without, noNewPrivs: 1, seccompMode: 2 });
});

test("20,000 arguments reach the program byte for byte", async () => {
  const words = Array.from({ length: 20_000 }, (_, i) => `argument ${i} ü`);
  const { argc, argvHash } = await unfenced(container(), ["facts", ...words]);
  expect(argc).toBe(20_002);
  expect(await fenced(container(), [], ["facts", ...words])).toMatchObject({ argc, argvHash });
});

test.for([0, 1, 125, 255])("the container's exit status is the program's: %i", async (status) => {
  const outcome = await bootstrap(container(), [], ["/probe", "exit", String(status)]);
  expect(outcome).toMatchObject({ status, stdout: "", stderr: "" });
});

test("a failure of fence is the container's exit status, and its message stands in the log", async () => {
  const outcome = await bootstrap(container(), [], ["/no/such/program"]);
  expect(outcome).toMatchObject({ status: 127, stdout: "" });
  expect(outcome.stderr).toContain("cannot run /no/such/program: execve: ENOENT");
});

test("file rules hold in a container", async () => {
  const open = ["open-read", "/arrange"];
  expect(await fenced(container(), ["--rox", "/probe"], open)).toMatchObject({ errno: "EACCES" });
  expect(await unfenced(container(), open)).toMatchObject({ errno: 0 });
});

test("the other commands of fence run there too", async () => {
  const outcome = await run(container().enter(["/tmp/fence/bin/fence", "--version"]));
  expect(outcome).toMatchObject({ status: 0, stdout: expect.stringMatching(/^fence /), stderr: "" });
});
