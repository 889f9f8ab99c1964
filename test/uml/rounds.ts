/**
 * Scenarios whose Services can stand beside each other, to be served at once: in this kernel it is the tools' runs that
 * take the time.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Scenario } from '../scenarios/serviceTable.ts';

export interface Round extends Pick<Scenario, 'objects' | 'config' | 'serviceCIDRs'> {
  readonly scenarios: readonly Scenario[];
}

/** A Service that several scenarios change stands in a round for each, in their order. */
export function roundsOf(scenarios: readonly Scenario[]): readonly Round[] {
  const rounds: Round[] = [];
  for (const scenario of scenarios) {
    const first = rounds.findLastIndex((round) => isInWay(round, scenario)) + 1;
    const found = rounds.findIndex(
      (round, index) => index >= first && isDeepStrictEqual(settingsOf(round), settingsOf(scenario)),
    );
    const before = rounds[found];
    const round = {
      ...settingsOf(scenario),
      objects: [...(before?.objects ?? []), ...scenario.objects],
      scenarios: [...(before?.scenarios ?? []), scenario],
    };
    rounds.splice(before === undefined ? rounds.length : found, before === undefined ? 0 : 1, round as Round);
  }
  return rounds;
}

function settingsOf({ config, serviceCIDRs }: Pick<Round, 'config' | 'serviceCIDRs'>): object {
  return { config, serviceCIDRs };
}

function isInWay({ objects }: Round, scenario: Scenario): boolean {
  return scenario.objects.some(({ namespace, name }) =>
    objects.some((other) => other.namespace === namespace && other.name === name),
  );
}
