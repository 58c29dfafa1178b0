import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const skipped = new Set(["node_modules", "dist", ".git"]);

const pages = readdirSync(root, { recursive: true, encoding: "utf8", withFileTypes: true })
  .filter(({ name, parentPath }) => name.endsWith(".md") && !isSkipped(parentPath))
  .map(({ name, parentPath }) => join(parentPath, name));

function isSkipped(path: string): boolean {
  return relative(root, path)
    .split("/")
    .some((name) => skipped.has(name));
}

interface Link {
  readonly from: string;
  readonly to: string;
}

/** Links of Markdown to files of ours; what stands in code is none. */
function linksOf(page: string): readonly Link[] {
  const text = readFileSync(page, "utf8")
    .replace(/^```.*?^```$/gms, "")
    .replace(/^ {4}.*$/gm, "")
    .replace(/`[^`\n]*`/g, (code) => "x".repeat(code.length));
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, to = ""]) => ({ from: page, to }))
    .filter(({ to }) => !/^[a-z]+:/.test(to));
}

/** As forges make them of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  const headings = readFileSync(page, "utf8")
    .replace(/^```.*?^```$/gms, "")
    .matchAll(/^#+ (.*)$/gm);
  return new Set(
    [...headings].map(([, title = ""]) =>
      title
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("no link between our pages is dead", () => {
  expect(pages.length).toBeGreaterThan(20);
  const dead = pages.flatMap(linksOf).filter(({ from, to }) => {
    const [file = "", anchor] = to.split("#");
    const target = file === "" ? from : resolve(dirname(from), file);
    if (!existsSync(target)) return true;
    return anchor !== undefined && !anchorsOf(target).has(anchor);
  });
  expect(dead.map(({ from, to }) => `${relative(root, from)}: ${to}`)).toEqual([]);
});

test("every page and schema of docs is in its index", () => {
  const index = join(root, "docs/README.md");
  const linked = new Set(linksOf(index).map(({ to }) => to.split("#")[0]));
  const files = readdirSync(join(root, "docs")).filter((name) => /\.(?:md|json|1)$/.test(name) && name !== "README.md");
  expect(files.filter((name) => !linked.has(name))).toEqual([]);
});

test("pages that code names as its source are there", () => {
  const sources = ["src", "native", "build", "test"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(?:ts|c|h)$/.test(name) && !name.includes("node_modules"))
      .map((name) => join(folder, name)),
  );
  const dead = sources.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/(?<![\w./])docs\/[\w-]+\.md\b/g)]
      .filter(([page]) => !existsSync(join(root, page)))
      .map(([page]) => `${path}: ${page}`),
  );
  expect(dead).toEqual([]);
});
