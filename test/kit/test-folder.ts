/**
 * The folder that test/kit/global-setup.ts makes for the run.
 *
 * Runs:     in tests.
 */
export function testFolder(): string {
  const folder = process.env["FENCE_TEST_FOLDER"];
  if (folder === undefined) throw new Error("start the tests with --config test/vitest.config.ts");
  return folder;
}
