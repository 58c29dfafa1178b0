/**
 * Reads tables and examples out of our documentation, so that tests can hold it to the code.
 *
 * Runs:     in tests.
 * Promises: throws when there is no such table.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const docs = resolve(import.meta.dirname, "../../docs");

export function docText(file: string): string {
  return readFileSync(`${docs}/${file}`, "utf8");
}

type Row = readonly string[];

/** The rows of the table whose first head cell is `head`; backquotes around a whole cell are taken off. */
export function docTable(file: string, head: string): readonly Row[] {
  const lines = docText(file).split("\n");
  const start = lines.findIndex((line) => line.startsWith("|") && cells(line)[0] === head);
  if (start === -1) throw new Error(`${file} has no table of ${head}`);
  const end = lines.findIndex((line, i) => i > start && !line.startsWith("|"));
  return lines.slice(start + 2, end).map(cells);
}

/** The JSON examples, in their order. */
export function docExamples(file: string): readonly unknown[] {
  return [...docText(file).matchAll(/^```json\n(.*?)^```$/gms)].map(([, json = ""]) => JSON.parse(json));
}

function cells(line: string): Row {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1"));
}
