/**
 * One contest: the same Services, the same API server and the same kind of node, served by ours and by kube-proxy by
 * turns.
 */
import { type Ground, type SideName, writeNodeProxy } from './ground.ts';
import { inWords, type Measures, medians } from './measures.ts';
import type { ProxyContest } from './proxies.ts';
import { measure, type TrialSettings } from './trial.ts';

export interface CompareSettings extends TrialSettings {
  readonly repetitions: number;
}

export type Comparison = { readonly [side in SideName]: Measures };

/** The medians of all repetitions. */
export async function compare(contest: ProxyContest, ground: Ground, settings: CompareSettings): Promise<Comparison> {
  await writeNodeProxy(ground, contest.config);
  const measured = await byTurns(['kube-proxy', 'ours'], settings.repetitions, async (side, repetition) => {
    const measures = await measure(side, contest, ground, settings);
    const where = `${contest.name}, ${settings.services} Services, ${repetition}/${settings.repetitions}`;
    ground.progress(`${where}, ${side}: ${inWords(measures)}`);
    return measures;
  });
  return { ours: medians(measured.ours), 'kube-proxy': medians(measured['kube-proxy']) };
}

/**
 * Measures two sides in each round, and gives what was measured of each, by rounds. Who begins changes from one round
 * to the next (A B B A …), so that neither side has the quieter half of the machine's time.
 */
export async function byTurns<Side extends string>(
  [first, second]: readonly [Side, Side],
  rounds: number,
  measureSide: (side: Side, round: number) => Promise<Measures>,
): Promise<Record<Side, readonly Measures[]>> {
  const measured = { [first]: [], [second]: [] } as unknown as Record<Side, Measures[]>;
  for (let round = 1; round <= rounds; round += 1) {
    const order = round % 2 === 1 ? [first, second] : [second, first];
    for (const side of order) measured[side].push(await measureSide(side, round));
  }
  return measured;
}
