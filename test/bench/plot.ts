/**
 * Draws a table as bars, in SVG that reads well on light and dark pages.
 *
 * Runs:     on the host (npm run bench). Pure.
 */
import { figure, isPeer, outcomes, type Row, type Table } from "./measure.ts";

const width = 720;
const left = 240;
const barWidth = 240;
const rowHeight = 30;
const top = 52;

/** The text of the page is read, not drawn, so it takes the reader's fonts and the page's colours. */
const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 12px; fill: #59636e }
  .fence { fill: #0969da } .peer { fill: #9aa4af } .range { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .fence { fill: #4493f8 } .peer { fill: #656c76 } .range { stroke: #e6edf3 }
  }`;

/** Bars are medians, the lines on them go from the lowest to the highest round. */
export function barChart(table: Table): string {
  const { title, unit, better, rows } = table;
  const results = outcomes(table);
  const height = top + rows.length * rowHeight + results.length * 18 + 14;
  const widest = Math.max(...rows.map(({ high }) => high));
  const goals = results.map(({ goal, measured, isMet }, i) => {
    const y = top + rows.length * rowHeight + 16 + i * 18;
    const text = `${isMet ? "met" : "missed"}: ${goal.slice(title.length + 2)}, measured ${figure(measured)}`;
    return `<text class="small" x="16" y="${y}">${escaped(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<title>${escaped(title)}</title>
<style>${style}
</style>
<text class="title" x="16" y="22">${escaped(title)}</text>
<text class="small" x="16" y="40">${escaped(`${unit}, ${better} is better; median, line from lowest to highest`)}</text>
${rows.map((row, i) => bar(row, i, rows, widest)).join("\n")}
${goals.join("\n")}
</svg>
`;
}

function bar(row: Row, i: number, rows: readonly Row[], widest: number): string {
  const y = top + i * rowHeight;
  const at = (value: number) => (value / widest) * barWidth;
  const [low, high] = [left + at(row.low), left + at(row.high)].map((x) => x.toFixed(1));
  const ratio = isPeer(row) ? `${rows[0]?.name}: ${figure(row.ratioOfFirst)} of it` : "";
  return [
    `<text x="${left - 8}" y="${y + 18}" text-anchor="end">${escaped(row.name)}</text>`,
    `<rect class="${isPeer(row) ? "peer" : "fence"}" x="${left}" y="${y + 5}" width="${at(row.median).toFixed(1)}" height="18" rx="2"/>`,
    `<line class="range" x1="${low}" x2="${high}" y1="${y + 14}" y2="${y + 14}"/>`,
    `<text x="${(left + at(row.high) + 8).toFixed(1)}" y="${y + 18}">${figure(row.median)}<tspan class="small" dx="8">${escaped(ratio)}</tspan></text>`,
  ].join("\n");
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
