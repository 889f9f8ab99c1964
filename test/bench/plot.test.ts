/** What a picture shows is where the numbers say, and can be known without its colors. */
import { describe, expect, test } from '@jest/globals';
import { type Axis, type Chart, type Mark, plot } from './plot.ts';

const marks: readonly Mark[] = ['circle', 'square', 'triangle', 'diamond', 'target'];

function chart(axis: Axis, values: readonly number[]): Chart {
  return {
    title: 'Time: less is better',
    description: 'What a start takes & why, for <all>.',
    legend: marks.map((mark) => ({ mark, words: `a ${mark}` })),
    rowsAre: 'values',
    columns: ['measured'],
    panels: [
      {
        title: 'cold start',
        axis,
        rows: values.map((value) => ({
          label: `row of ${value}`,
          points: [{ mark: 'circle', value }],
          words: [`${value} s`],
        })),
      },
    ],
  };
}

/** Where the rows' points stand from left to right; those of the legend are above them. */
function placesOf(svg: string): readonly number[] {
  const groups = [...svg.matchAll(/<g transform="translate\(([\d.]+),([\d.]+)\)"><circle/g)];
  return groups.filter(([, , y]) => Number(y) > 60).map(([, x]) => Number(x));
}

function placeOf(svg: string, tick: string): number {
  const [, x] =
    new RegExp(`<text x="([\\d.]+)" y="[\\d.]+" class="small" text-anchor="middle">${tick}<`).exec(svg) ?? [];
  return Number(x);
}

/** The classes of a style that have a color. */
function colored(css: string): readonly string[] {
  return [...css.matchAll(/([.\w]+)\{[^}]*(?:fill|stroke):#/g)].map(([, name = '']) => name);
}

describe('axes', () => {
  test('a linear one begins at 0, and twice the value is twice as far', () => {
    const svg = plot(chart({ scale: 'linear', unit: 's' }, [10, 20, 40]));
    const zero = placeOf(svg, '0');
    const [ten = 0, twenty = 0, forty = 0] = placesOf(svg).map((x) => x - zero);
    expect(ten).toBeGreaterThan(0);
    expect(twenty).toBeCloseTo(2 * ten, 0);
    expect(forty).toBeCloseTo(4 * ten, 0);
    expect(placeOf(svg, '20') - zero).toBeCloseTo(twenty, 0);
  });

  test('on a logarithmic one, which says that it is, equal ratios are equal distances', () => {
    const svg = plot(chart({ scale: 'logarithmic', unit: 's' }, [0.02, 0.2, 20]));
    const [first = 0, second = 0, third = 0] = placesOf(svg);
    expect(third - second).toBeCloseTo(2 * (second - first), 0);
    expect(placeOf(svg, '10') - placeOf(svg, '1')).toBeCloseTo(second - first, 0);
    expect(svg).toContain('>s, logarithmic axis<');
  });

  test('it reaches what is asked for, and has the line that all is compared with', () => {
    const svg = plot(chart({ scale: 'linear', unit: '', atLeast: 2, reference: 1 }, [0.5]));
    const line = /<path d="M([\d.]+),\d+V\d+" class="reference"/.exec(svg)?.[1];
    expect(Number(line)).toBe(placeOf(svg, '1'));
    expect(placeOf(svg, '2')).toBeGreaterThan(placeOf(svg, '1'));
  });

  test.each(['linear', 'logarithmic'] as const)('%s: what is no number has no point, but its words', (scale) => {
    const svg = plot(chart({ scale, unit: 's' }, [1, Number.NaN, Infinity, 3]));
    expect(placesOf(svg)).toHaveLength(2);
    expect(svg).toContain('>Infinity s<');
    expect(svg).not.toMatch(/="[^"]*(?:NaN|Infinity)/);
  });

  test('nothing is no point on a logarithmic one, and one at the begin of a linear one', () => {
    expect(placesOf(plot(chart({ scale: 'logarithmic', unit: 's' }, [0, 1])))).toHaveLength(1);
    expect(placesOf(plot(chart({ scale: 'linear', unit: 's' }, [0, 1])))).toHaveLength(2);
  });
});

describe('a picture', () => {
  const svg = plot(chart({ scale: 'linear', unit: 's' }, [1]));

  test('is an image with a title and a description, whatever is in them', () => {
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-labelledby="title description">/);
    expect(svg).toContain('<title id="title">Time: less is better</title>');
    expect(svg).toContain('<desc id="description">What a start takes &amp; why, for &lt;all>.</desc>');
  });

  test('has another shape for each mark, and words for each in its legend', () => {
    const shapes = [...svg.matchAll(/<g transform="[^"]+">(<[^>]+>)<\/g>/g)]
      .slice(0, marks.length)
      .map(([, shape = '']) => shape);
    const withoutColor = shapes.map((shape) => shape.replace(/ class="[^"]*"/, ''));
    expect(new Set(withoutColor).size).toBe(marks.length);
    for (const mark of marks) expect(svg).toContain(`>a ${mark}<`);
  });

  test('has its own ground and, on a dark page, other colors of everything', () => {
    const [light = '', dark = ''] =
      /<style>([\s\S]*)<\/style>/.exec(svg)?.[1]?.split('@media (prefers-color-scheme:dark)') ?? [];
    expect(colored(light)).toContain('.ground');
    expect(colored(dark).toSorted()).toEqual(colored(light).toSorted());
  });

  test('is the same for the same numbers', () => {
    expect(plot(chart({ scale: 'linear', unit: 's' }, [1]))).toBe(svg);
  });
});
