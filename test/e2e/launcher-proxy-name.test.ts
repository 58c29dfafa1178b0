import { expect, test } from "vitest";
import { host, run } from "../kit/sandbox.ts";

test("the name of a proxy that has no address is an error, and nothing starts", { timeout: 60_000 }, async () => {
  const options = ["--http-proxy", "http://nosuch.invalid:3128"];
  const outcome = await run([host.fence, "run", ...options, "--", "echo", "started"]);
  expect(outcome).toMatchObject({ status: 125, stdout: "" });
  expect(outcome.stderr).toMatch(/^fence: cannot resolve nosuch\.invalid: /);
  expect(outcome.stderr).toContain("FENCE_RESOLVE");
});
