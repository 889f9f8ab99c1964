/** What programs inside the kernel under test print, a line of JSON each. */
import type { Observation } from '../scenarios/observe.ts';

export type Report =
  | { readonly row: RowName; readonly seen: readonly Observation[] }
  /** Nothing could be seen of any row of the scenario. */
  | { readonly scenario: ScenarioName; readonly failure: string };

export type ScenarioName = readonly [family: string, scenario: string];
export type RowName = readonly [...ScenarioName, row: string];

export function print(report: Report): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
