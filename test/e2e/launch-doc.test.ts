import { beforeEach, describe, expect, test } from "vitest";
import { docExamples, docTable, docText } from "../kit/docs.ts";
import { launched } from "../kit/launched.ts";
import { requires } from "../kit/requires.ts";
import type { Json } from "../kit/sandbox.ts";

const page = "launch.md";

beforeEach(requires("bwrap"));

describe("the report", () => {
  const shown = docExamples(page) as readonly { readonly event: string }[];
  const isShown = (event: string) => expect.objectContaining({ event });

  test("the events of the table are those of the examples", () => {
    const events = docTable(page, "event").map(([event]) => event);
    expect(events).toEqual(shown.map(({ event }) => event));
  });

  test("every example has the members of what is reported", async () => {
    const { reports } = await launched(["true"], { options: ["--verify", "-p", "127.0.0.1:0:3000"] });
    const failed = await launched(["/no/such"]);
    const all = [...reports, ...failed.reports.filter((report) => membersOf(report).includes("code"))];
    expect(all).toHaveLength(shown.length);
    for (const report of all) {
      const { event } = report as unknown as { event: string };
      expect(shown).toContainEqual(isShown(event));
      const example = shown.find((each) => each.event === event);
      expect(comparable(example), event).toEqual(comparable(report));
    }
  });
});

test("the members of a dry run are those of the table", async () => {
  const { stdout } = await launched(["true"], { options: ["--dry-run", "--json"] });
  const cells = docTable(page, "member").map(([names = ""]) => names);
  expect(cells.flatMap((names) => names.replaceAll("`", "").split(", "))).toEqual(membersOf(JSON.parse(stdout)));
});

test("the tree of a dry run begins with the words that are shown", async () => {
  const options = ["--dry-run", "-p", "3000", "--local-port", "5432", "--http-proxy", "tcp:127.0.0.1:8080"];
  const { stdout } = await launched(["true"], { options });
  const words = (text: string) => [
    ...text.matchAll(/^ {0,4}(program|directory|variables|isolation|network|files)\b/gm),
  ];
  const tree = docText(page).split("$ fence run --dry-run")[1] ?? "";
  expect(words(tree).map(([, word]) => word)).toEqual(words(stdout).map(([, word]) => word));
  for (const line of stdout.split("\n").filter((each) => each.includes(" in the sandbox"))) {
    expect(tree).toContain(line.trim());
  }
});

function membersOf(value: unknown): readonly string[] {
  return Object.keys(value as object);
}

/** Members at every depth; of a list those of its first element that is an object. What is inside depends on the kernel. */
function comparable(value: unknown): Json {
  if (Array.isArray(value))
    return value
      .filter((each) => typeof each === "object")
      .slice(0, 1)
      .map(comparable);
  if (typeof value !== "object" || value === null) return "value";
  return Object.fromEntries(
    Object.entries(value).map(([name, each]) => [name, name === "inside" ? membersOf(each).join() : comparable(each)]),
  );
}
