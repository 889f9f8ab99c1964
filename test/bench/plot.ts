/** Bars in panels: ours and kube-proxy's side by side, or ours alone. */
import type { Section } from './results.ts';
import { rowsOf } from './results.ts';

export interface BarChart {
  readonly legend: readonly Side[];
  readonly note: string;
  readonly panels: readonly Panel[];
}

export interface Panel {
  readonly title: string;
  readonly scale: keyof typeof scales;
  readonly groups: readonly BarGroup[];
}

export interface BarGroup {
  readonly label: string;
  readonly bars: readonly Bar[];
}

export interface Bar {
  readonly side: Side;
  readonly value: number;
  readonly unit: string;
}

type Side = keyof typeof colours;
type Scale = (value: number) => number;

/** What a user feels, one panel for each. */
const felt: readonly string[] = [
  'cold start to all rules present',
  'one endpoint changed, until a connection reaches it',
  'CPU per change, with all tools',
  'memory in steady state',
  'added to a connection to a Service',
];
const width = 760;
const barStep = 16;
const labelWidth = 230;
const longestBar = width - labelWidth - 90;
const colours = { ours: '#2a7', 'kube-proxy': '#c63' } as const;
/** What is next to nothing still gets a line to see. */
const shortestBar = 2;

/** By powers of ten. */
export function plot(sections: readonly Section[]): string {
  const shown = sections.filter(({ services }) => services > 1);
  const panels = felt.map((title) => {
    const groups = shown.flatMap((section) => {
      const row = rowsOf(section).find(({ what }) => what === title);
      if (row === undefined) return [];
      const bars = [
        { side: 'ours', value: row.ours, unit: row.unit } as const,
        { side: 'kube-proxy', value: row.theirs, unit: row.unit } as const,
      ];
      return [
        { label: `${section.contest.name}, ${section.services.toLocaleString('en')} × ${section.endpoints}`, bars },
      ];
    });
    return { title, scale: 'logarithmic' as const, groups };
  });
  return plotBars({ legend: ['ours', 'kube-proxy'], note: 'shorter is better; scales are logarithmic', panels });
}

export function plotBars({ legend, note, panels }: BarChart): string {
  const words = legend.map((side, index) =>
    text(10 + 40 * index, 20, side, `fill="${colours[side]}" font-weight="bold"`),
  );
  const parts = [...words, text(legend.length > 0 ? 130 : 10, 20, note)];
  let y = 20;
  for (const panel of panels) {
    const { lines, bottom } = drawPanel(panel, y);
    parts.push(...lines);
    y = bottom;
  }
  const height = y + 20;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function drawPanel(
  { title, scale: kind, groups }: Panel,
  top: number,
): { readonly lines: readonly string[]; readonly bottom: number } {
  const scale = scales[kind](groups.flatMap(({ bars }) => bars.map(({ value }) => value)));
  let y = top + 28;
  const lines = [text(10, y, title, 'font-weight="bold"')];
  for (const { label, bars } of groups) {
    lines.push(
      text(20, y + barStep, label),
      ...bars.map((bar, index) => drawBar(y + (index + 1) * barStep, bar, scale)),
    );
    y += bars.length * barStep + 4;
  }
  return { lines, bottom: y };
}

function drawBar(y: number, { side, value, unit }: Bar, scale: Scale): string {
  const length = Math.max(shortestBar, scale(value));
  const rectangle = `<rect x="${labelWidth}" y="${y - 11}" width="${length.toFixed(1)}" height="12" fill="${colours[side]}"/>`;
  return rectangle + text(labelWidth + Math.round(length) + 6, y, `${value.toFixed(value < 10 ? 2 : 0)} ${unit}`);
}

function text(x: number, y: number, words: string, style = ''): string {
  return `<text x="${x}" y="${y}" ${style}>${words}</text>`;
}

const scales = { logarithmic, linear } as const;

function logarithmic(values: readonly number[]): Scale {
  const positive = values.filter((value) => value > 0);
  const least = 10 ** Math.floor(Math.log10(Math.min(...positive)));
  const decades = Math.max(1, Math.log10(Math.max(...positive) / least));
  return (value) => (value <= least ? 0 : (Math.log10(value / least) / decades) * longestBar);
}

function linear(values: readonly number[]): Scale {
  const most = Math.max(...values, Number.MIN_VALUE);
  return (value) => (value / most) * longestBar;
}
