import { createServer } from "node:net";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { docTable, docText } from "../kit/docs.ts";
import { launched } from "../kit/launched.ts";
import { probe } from "../kit/probe.ts";
import { requires } from "../kit/requires.ts";
import { type Way, ways } from "../kit/ways.ts";

const page = "launched.md";

beforeEach(requires("bwrap"));

/** What the table of differences says of one way. */
function saidOf(way: Way, title: string): string {
  const row = docTable(page, "").find(([head]) => head === title);
  const cell = row?.[1 + ways.indexOf(way)];
  if (cell === undefined) throw new Error(`${page} says nothing of ${title}`);
  return cell;
}

/** What stands in backquotes; a cell that is one such word has lost its own. */
function words(cell: string): readonly string[] {
  const found = [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
  return found.length === 0 ? [cell] : found;
}

describe.for(ways)("what the page says of the %s way is so", (way) => {
  test("processes, files, PID, reports", async () => {
    const port = await refusingPort();
    const script = [
      ...[`"${probe}" echo-tcp ${port} hello >/dev/null; echo $$; ls /tmp/fence; echo processes`],
      "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$file 2>/dev/null; echo; done",
    ];
    const options = ["--local-port", String(port)];
    const { stdout, reports } = await launched(["sh", "-c", script.join("; ")], { options, through: way });
    const [before = "", after = ""] = stdout.split("processes\n");
    const [pid, ...files] = before.trim().split("\n");

    expect(reports).toContainEqual(
      expect.objectContaining({ event: "ready", way: saidOf(way, "`way` in the event `ready`") }),
    );
    expect(files.toSorted()).toEqual(words(saidOf(way, "fence's files in the sandbox, in `/tmp/fence`")).toSorted());
    const fences = after.split("\n").flatMap((line) => (line.startsWith("fence: ") ? [line.trim()] : []));
    expect(fences.toSorted()).toEqual(words(saidOf(way, "fence's processes in the sandbox")).toSorted());
    expect(pid === "2").toBe(saidOf(way, "PID of the program") === "2");

    const { bridges } = reports.at(-1) as unknown as { readonly bridges: readonly [{ readonly listen: string }] };
    const [scheme = ""] = words(saidOf(way, "`listen` of a proxy or local port in the event `ended`"));
    expect(bridges[0].listen.startsWith(scheme.replace(/[A-Z].*$/, ""))).toBe(true);
  });

  test("--debug names it", async () => {
    const { stderr } = await launched(["true"], { options: ["--debug"], through: way });
    const said = stderr.split("\n").filter((line) => line.startsWith("fence: debug: "));
    expect(said).toContain(`fence: debug: the inside is ${way}`);
    expect(said.some((line) => line.includes("ready: "))).toBe(saidOf(way, "what `--debug` says besides") !== "");
  });
});

test("--debug prints the lines that are shown, in that order", async () => {
  const shown = /^```text\n(.*?)^```$/ms.exec(docText(page))?.[1]?.trimEnd().split("\n") ?? [];
  const port = await refusingPort();
  const script = `"${probe}" echo-tcp ${port} hello; true`;
  const { stderr } = await launched(["sh", "-c", script], { options: ["--debug", "--local-port", String(port)] });
  const kinds = (lines: readonly string[]) =>
    lines.map(
      (line) => /^fence: (?:debug: (?:bwrap|the inside is launched)|denied: bridge tcp:127\.0\.0\.1:)/.exec(line)?.[0],
    );
  expect(shown).toHaveLength(4);
  const said = kinds(stderr.split("\n"));
  for (const kind of kinds(shown.slice(1))) expect(said).toContain(kind);
  expect(said.indexOf(kinds(shown)[1])).toBeLessThan(said.indexOf(kinds(shown)[2]));
});

/** A port of the host's loopback on which nobody listens. */
async function refusingPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  await new Promise((resolve) => server.close(resolve));
  onTestFinished(() => void server.close());
  return address.port;
}
