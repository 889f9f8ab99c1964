/** What programs inside the kernel under test print, a line of JSON each. */
import type { Observation } from '../scenarios/observe.ts';

export type Report =
  | { readonly row: RowName; readonly seen: readonly Observation[] }
  /** The Services could not be served, so that nothing was seen of any further row. */
  | { readonly scenarios: readonly string[]; readonly failure: string };

export type RowName = readonly [family: string, scenario: string, row: string];

export function print(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
