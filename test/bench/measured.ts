/**
 * docs/performance.json: the figures that docs/performance.md and its pictures are made of, so that both can be made
 * again without measuring.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BaselineSection } from './baselines.ts';
import { baselinesPart } from './baselinesReport.ts';
import type { FanOut } from './fanOut.ts';
import { fanOutPart } from './fanOutReport.ts';
import { type Part, writePart } from './page.ts';
import { proxiesPart } from './report.ts';
import type { Section } from './results.ts';

/** What was never measured is not there. */
export interface Measured {
  readonly sections?: readonly Section[];
  readonly baselines?: readonly BaselineSection[];
  readonly fanOut?: FanOut;
}

const file = join(import.meta.dirname, '..', '..', 'docs', 'performance.json');
/** JSON has no Infinity. */
const notDone = 'not done';

export async function readMeasured(): Promise<Measured> {
  return JSON.parse(await readFile(file, 'utf8'), (_name, value: unknown) =>
    // It has null for what was not measured.
    value === notDone ? Infinity : (value ?? Number.NaN),
  ) as Measured;
}

/** The parts of the page that were measured. */
export function partsOf({ sections, baselines, fanOut }: Measured): readonly Part[] {
  return [
    ...(sections === undefined ? [] : [proxiesPart(sections)]),
    ...(baselines === undefined ? [] : [baselinesPart(baselines)]),
    ...(fanOut === undefined ? [] : [fanOutPart(fanOut)]),
  ];
}

/** Writes what was measured, its part of the page and its picture, and leaves the rest as it is. */
export async function saveMeasured(measured: Measured): Promise<void> {
  const all: Measured = { ...(await readMeasured()), ...measured };
  const text = JSON.stringify(all, (_name, value: unknown) => (value === Infinity ? notDone : value), 1);
  await writeFile(file, `${text}\n`);
  await writePage(measured);
}

/** Writes the parts of what is given. */
export async function writePage(measured: Measured): Promise<void> {
  for (const { name, markdown, picture } of partsOf(measured)) await writePart(name, markdown, picture);
}
