/**
 * Points in panels, with the numbers beside them, as SVG. Equal input gives equal output, without a browser.
 *
 * The axes are d3-scale's. The marks are written here: vega-lite needs 79 packages for as many lines, and has neither
 * `<title>` nor a dark style; Observable Plot needs a DOM. A point has a place and no length, so that an axis may be
 * logarithmic; a mark is known by its shape, and its color only repeats that.
 */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';

export interface Chart {
  /** Says what is better. */
  readonly title: string;
  /** What is seen, for those who do not see it. */
  readonly description: string;
  /** What each mark means. */
  readonly legend: readonly Explained[];
  /** What the labels of the rows are of. */
  readonly rowsAre: string;
  /** Heads of the numbers beside the points. */
  readonly columns: readonly string[];
  readonly panels: readonly Panel[];
}

export interface Explained {
  readonly mark: Mark | 'reference';
  readonly words: string;
}

export interface Panel {
  readonly title: string;
  readonly axis: Axis;
  readonly rows: readonly PointRow[];
}

export interface Axis {
  readonly scale: 'linear' | 'logarithmic';
  /** Empty of ratios. */
  readonly unit: string;
  /** What the axis reaches at least; without it, the largest value of the panel. */
  readonly atLeast?: number;
  /** Where a line stands that everything is compared with. */
  readonly reference?: number;
}

export interface PointRow {
  readonly label: string;
  /** Those that are no finite number are left out. */
  readonly points: readonly Point[];
  /** One for each column. */
  readonly words: readonly string[];
}

export interface Point {
  readonly mark: Mark;
  readonly value: number;
}

export type Mark = keyof typeof shapes;
type Scale = ScaleContinuousNumeric<number, number>;

/** Around its own middle. */
const shapes = {
  circle: '<circle r="5.5" class="mark circle"/>',
  square: '<rect x="-5" y="-5" width="10" height="10" class="mark square"/>',
  triangle: '<path d="M0,-6.5L6.5,5.5H-6.5Z" class="mark triangle"/>',
  diamond: '<path d="M0,-7L7,0L0,7L-7,0Z" class="mark diamond"/>',
  target: '<path d="M0,-8V8" class="target"/>',
} as const;
const reference = '<path d="M0,-8V8" class="reference"/>';

const margin = 12;
const labelWidth = 205;
const plotWidth = 300;
const columnWidth = 90;
const rowHeight = 21;
const headHeight = 58;
const panelHeadHeight = 32;
const axisHeight = 30;

const style = `text{font:13px system-ui,sans-serif;fill:#1f2328}.ground{fill:#fff}.title{font-size:16px;font-weight:600}.head{font-weight:600}.small{font-size:12px;fill:#59636e}.guide{stroke:#d1d9e0}
.mark{stroke:#fff}.circle{fill:#0a7f5a}.square{fill:#b3510a}.triangle{fill:#0b5cad}.diamond{fill:#8250df}.target{stroke:#1f2328;stroke-width:3}.reference{stroke:#59636e;stroke-width:1.5;stroke-dasharray:4 3}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#0d1117}.small{fill:#9198a1}.guide{stroke:#3d444d}.mark{stroke:#0d1117}.circle{fill:#3fc796}.square{fill:#f0883e}.triangle{fill:#6cb6ff}.diamond{fill:#c297ff}.target{stroke:#e6edf3}.reference{stroke:#9198a1}}`;

export function plot(chart: Chart): string {
  const { title, description, legend, rowsAre, columns, panels } = chart;
  const width = 2 * margin + labelWidth + plotWidth + columns.length * columnWidth;
  const heights = panels.map(({ rows }) => panelHeadHeight + rows.length * rowHeight + axisHeight);
  const height = headHeight + heights.reduce((sum, each) => sum + each, 0) + margin;
  const tops = heights.map((_, index) => headHeight + heights.slice(0, index).reduce((sum, each) => sum + each, 0));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(description)}</desc>
<style>${style}</style>
<rect width="100%" height="100%" class="ground"/>
${text(margin, 24, title, 'title')}
${drawLegend(legend)}
${text(width - margin, 46.5, `rows: ${rowsAre}`, 'small', 'end')}
${panels.map((panel, index) => drawPanel(panel, columns, tops[index] ?? 0)).join('\n')}
</svg>
`;
}

function drawLegend(legend: readonly Explained[]): string {
  let x = margin + 8;
  const parts = legend.map(({ mark, words }) => {
    const part = at(x, 42, mark === 'reference' ? reference : shapes[mark]) + text(x + 12, 46.5, words, 'small');
    x += 34 + 6.4 * words.length;
    return part;
  });
  return parts.join('\n');
}

function drawPanel({ title, axis, rows }: Panel, columns: readonly string[], top: number): string {
  const scale = scaleOf(axis, rows);
  const bottom = top + panelHeadHeight + rows.length * rowHeight;
  const unit = [axis.unit, axis.scale === 'logarithmic' ? 'logarithmic axis' : ''].filter(Boolean).join(', ');
  const heads = columns.map((head, index) =>
    rows.some(({ words }) => words[index] !== '') ? text(columnEnd(index), top + 22, head, 'small', 'end') : '',
  );
  const drawn = rows.map((row, index) => drawRow(row, scale, top + panelHeadHeight + (index + 0.5) * rowHeight));
  const line =
    axis.reference === undefined ? '' : vertical(scale(axis.reference), top + panelHeadHeight, bottom, 'reference');
  return [
    text(margin, top + 22, title, 'head'),
    ...heads,
    ...drawAxis(axis, scale, { top: top + panelHeadHeight, bottom }),
    line,
    ...drawn,
    text(margin + labelWidth - 34, bottom + 16, unit, 'small', 'end'),
  ]
    .filter(Boolean)
    .join('\n');
}

function scaleOf({ scale, atLeast = 0 }: Axis, rows: readonly PointRow[]): Scale {
  const values = rows
    .flatMap(({ points }) => points.map(({ value }) => value))
    .filter((value) => Number.isFinite(value));
  const most = Math.max(...values, atLeast);
  const range = [margin + labelWidth, margin + labelWidth + plotWidth];
  if (scale === 'linear') return scaleLinear([0, most], range).nice(5);
  const positive = values.filter((value) => value > 0);
  return scaleLog([Math.min(...positive, most), most], range).nice();
}

function drawAxis(
  { scale: kind }: Axis,
  scale: Scale,
  { top, bottom }: { readonly top: number; readonly bottom: number },
): readonly string[] {
  const isMarked = (tick: number): boolean =>
    kind === 'linear' || Number.isInteger(Number(Math.log10(tick).toFixed(9)));
  const ticks = scale.ticks(5).filter(isMarked);
  return ticks.flatMap((tick) => [
    vertical(scale(tick), top, bottom, 'guide'),
    text(scale(tick), bottom + 16, tick.toLocaleString('en', { maximumSignificantDigits: 3 }), 'small', 'middle'),
  ]);
}

function drawRow({ label, points, words }: PointRow, scale: Scale, y: number): string {
  const [left = 0, right = 0] = scale.range();
  return [
    `<path d="M${left},${y}H${right}" class="guide"/>`,
    text(left - 12, y + 4.5, label, '', 'end'),
    ...points.filter(({ value }) => isOn(scale, value)).map(({ mark, value }) => at(scale(value), y, shapes[mark])),
    ...words.map((word, index) => text(columnEnd(index), y + 4.5, word, '', 'end')),
  ].join('\n');
}

/** Neither is what was not measured, nor nothing on a logarithmic one. */
function isOn(scale: Scale, value: number): boolean {
  return Number.isFinite(value) && value >= (scale.domain()[0] ?? 0);
}

function columnEnd(index: number): number {
  return margin + labelWidth + plotWidth + (index + 1) * columnWidth;
}

function vertical(x: number, top: number, bottom: number, kind: string): string {
  return `<path d="M${fixed(x)},${top}V${bottom}" class="${kind}"/>`;
}

function at(x: number, y: number, shape: string): string {
  return `<g transform="translate(${fixed(x)},${fixed(y)})">${shape}</g>`;
}

function text(x: number, y: number, words: string, kind: string, anchor: 'start' | 'middle' | 'end' = 'start'): string {
  if (words === '') return '';
  const attributes = [kind === '' ? '' : ` class="${kind}"`, anchor === 'start' ? '' : ` text-anchor="${anchor}"`];
  return `<text x="${fixed(x)}" y="${fixed(y)}"${attributes.join('')}>${escaped(words)}</text>`;
}

function fixed(number: number): string {
  return String(Number(number.toFixed(1)));
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
