import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { errorCodes } from "../../src/base/errors.ts";
import { docTable, docText } from "../kit/docs.ts";

const page = "entrypoint.md";

/** Each example that is shown, with the file that was linked last before it. */
function shown(): readonly { file: string; lines: readonly string[] }[] {
  const blocks = [...docText(page).matchAll(/\]\((examples\/\S+\.?\w+)\)|^```\w+\n(.*?)^```$/gms)];
  let file = "";
  return blocks.flatMap(([, link, block]) => {
    if (link !== undefined) file = link;
    return block === undefined ? [] : [{ file, lines: block.trimEnd().split("\n") }];
  });
}

test("every example that is shown stands in its file, which the tests run", () => {
  const files = shown().map(({ file }) => file);
  expect(files).toEqual(
    [
      "scratch/Containerfile",
      "busybox/Containerfile",
      "oci/config.json",
      "kubernetes/pod.json",
      "bwrap/run.sh",
      "nix/default.nix",
    ].map((path) => `examples/${path}`),
  );
  for (const { file, lines } of shown()) {
    const text = readFileSync(resolve(import.meta.dirname, "../../docs", file), "utf8");
    expect(text, file).toContain(`${lines.join("\n")}\n`);
  }
});

test("the codes of the last table are those of fence", () => {
  const codes = docTable(page, "code").map(([code]) => code);
  expect(codes).not.toEqual([]);
  for (const code of codes) expect(Object.keys(errorCodes)).toContain(code);
});
