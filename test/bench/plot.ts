/** Bars by powers of ten, ours and kube-proxy's side by side: one panel for each of the measures that a user feels. */
import type { Row, Section } from './results.ts';
import { rowsOf } from './results.ts';

const panels: readonly string[] = [
  'cold start to all rules present',
  'one endpoint changed, until a connection reaches it',
  'CPU per change, with all tools',
  'memory in steady state',
  'added to a connection to a Service',
];
const width = 760;
const barStep = 16;
const labelWidth = 230;
const colours = { ours: '#2a7', theirs: '#c63' } as const;

interface Panel {
  readonly lines: readonly string[];
  readonly height: number;
}

export function plot(sections: readonly Section[]): string {
  const shown = sections.filter(({ services }) => services > 1);
  const parts = [text(10, 20, 'ours', `fill="${colours.ours}" font-weight="bold"`), text(50, 20, 'kube-proxy', `fill="${colours.theirs}" font-weight="bold"`)];
  parts.push(text(130, 20, 'shorter is better; scales are logarithmic'));
  let y = 20;
  for (const name of panels) {
    const panel = drawPanel(name, shown, y);
    parts.push(...panel.lines);
    y += panel.height;
  }
  const height = y + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function drawPanel(name: string, sections: readonly Section[], top: number): Panel {
  const rows = sections.map((section) => ({ label: `${section.contest.name}, ${section.services.toLocaleString('en')}`, row: rowsOf(section).find(({ what }) => what === name) }));
  const scale = logScale(rows.flatMap(({ row }) => (row === undefined ? [] : [row.ours, row.theirs])));
  let y = top + 28;
  const lines = [text(10, y, name, 'font-weight="bold"')];
  for (const { label, row } of rows) {
    if (row === undefined) continue;
    lines.push(text(20, y + barStep, label), bar(y + barStep, 'ours', row, scale), bar(y + 2 * barStep, 'theirs', row, scale));
    y += 2 * barStep + 4;
  }
  return { lines, height: y - top };
}

function bar(y: number, side: keyof typeof colours, row: Row, scale: (value: number) => number): string {
  const value = row[side];
  const rectangle = `<rect x="${labelWidth}" y="${y - 11}" width="${scale(value).toFixed(1)}" height="12" fill="${colours[side]}"/>`;
  return rectangle + text(labelWidth + Math.round(scale(value)) + 6, y, `${value.toFixed(value < 10 ? 2 : 0)} ${row.unit}`);
}

function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${x}" y="${y}" ${style}>${words}</text>`;
}

/** What is next to nothing still gets a line to see. */
function logScale(values: readonly number[]): (value: number) => number {
  const positive = values.filter((value) => value > 0);
  const least = 10 ** Math.floor(Math.log10(Math.min(...positive)));
  const decades = Math.max(1, Math.log10(Math.max(...positive) / least));
  return (value) => (value <= least ? 2 : Math.max(2, (Math.log10(value / least) / decades) * (width - labelWidth - 90)));
}
