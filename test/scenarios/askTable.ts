/**
 * Asks every row of a table of one proxy, and keeps what was seen until somebody asks whether it is right.
 */
import { inspect } from 'node:util';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { Proxy } from '../uml/proxy.ts';
import type { Round } from '../uml/rounds.ts';
import { roundsOf } from '../uml/rounds.ts';
import type { Network } from '../support/network.ts';
import type { Observation } from './observe.ts';
import { observe } from './observe.ts';
import type { PacketRow, Scenario } from './scenario.ts';
import { expectationIn } from './scenario.ts';

export class Sightings {
  readonly #seen = new Map<string, readonly Observation[]>();
  readonly #failures = new Map<string, string>();

  /** Throws where a row was never asked. */
  of(family: IPFamily, scenario: Scenario, row: PacketRow): readonly Observation[] {
    const seen = this.#seen.get(keyOf(family, scenario, row));
    if (seen === undefined) throw new Error(this.#failures.get(scenario.name) ?? 'this row was not asked');
    return seen;
  }

  keep(key: string, seen: readonly Observation[]): void {
    this.#seen.set(key, seen);
  }

  keepFailure({ scenarios }: Round, error: unknown): void {
    for (const { name } of scenarios) this.#failures.set(name, inspect(error));
  }
}

function keyOf(family: IPFamily, scenario: Scenario, row: PacketRow): string {
  return JSON.stringify([family, scenario.name, row.name]);
}

/** All rows whose Services can stand beside each other at once, in both families: it is the syncs that take time. */
export async function askTable(network: Network, proxy: Proxy, scenarios: readonly Scenario[]): Promise<Sightings> {
  const sightings = new Sightings();
  for (const round of roundsOf(scenarios)) {
    try {
      await proxy.serve(round);
      await askRound(network, round, sightings);
    } catch (error) {
      sightings.keepFailure(round, error);
    }
  }
  return sightings;
}

/** Rows that wait for an answer go first: beside them, what is answered late would look dropped. */
async function askRound(network: Network, round: Round, sightings: Sightings): Promise<void> {
  const cases = ipFamilies.flatMap((family) =>
    round.scenarios.flatMap((scenario) => scenario.rows.map((row) => ({ family, scenario, row }))),
  );
  const isDropped = ({ family, row }: (typeof cases)[number]): boolean => expectationIn(row, family) === 'DROPPED';
  const ask = async ({ family, scenario, row }: (typeof cases)[number]): Promise<void> =>
    sightings.keep(keyOf(family, scenario, row), await observe(network, family, row));
  await Promise.all(cases.filter((each) => !isDropped(each)).map(ask));
  await Promise.all(cases.filter(isDropped).map(ask));
}
