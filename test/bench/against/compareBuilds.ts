/** The work tree's build and another one by turns, on the same ground. */
import { execa } from 'execa';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { byTurns } from '../compare.ts';
import { type Ground, prepareGround, productCommand, writeNodeProxy } from '../ground.ts';
import { iptablesLegacy } from '../iptables-legacy.ts';
import { iptablesNft } from '../iptables-nft.ts';
import { inWords, type Measures } from '../measures.ts';
import type { Variant } from '../node.ts';
import type { Inside } from '../options.ts';
import { iptablesVersion, machine, workTreeCommit } from '../page.ts';
import { measure, type TrialSettings } from '../trial.ts';
import { treeIn } from './revision.ts';

export type Build = 'workTree' | 'revision';

export interface BuildsSettings extends TrialSettings {
  readonly endpoints: number;
  readonly rounds: number;
  readonly variant: readonly Variant[];
}

/** What was measured of each build, by rounds. */
export type Rounds = { readonly [build in Build]: readonly Measures[] };

export interface BuildsComparison {
  /** The commit that is checked out, `-dirty` with changes that are not committed. */
  readonly workTree: string;
  /** Its commit, the whole hash. */
  readonly revision: string;
  readonly measured: readonly { readonly variant: Variant; readonly rounds: Rounds }[];
  /** CPUs, memory, kernel and versions; the load average of 15 minutes at the end. */
  readonly machine: string;
  readonly load: number;
}

const builds = ['workTree', 'revision'] as const satisfies readonly Build[];
const contests = { nft: iptablesNft, legacy: iptablesLegacy };

/** `inside.directory` holds the revision, checked out and built. */
export async function compareBuilds(settings: BuildsSettings, inside: Inside): Promise<BuildsComparison> {
  const tree = treeIn(inside.directory);
  const workTree = workTreeCommit();
  const measured: BuildsComparison['measured'][number][] = [];
  const ground = await prepareGround(inside.directory, inside.progress, settings.endpoints);
  try {
    await ground.populate(settings.services);
    const grounds = { workTree: ground, revision: { ...ground, product: productCommand(tree, join(tree, 'dist')) } };
    for (const variant of settings.variant)
      measured.push({ variant, rounds: await measureRounds(variant, grounds, settings) });
  } finally {
    await ground.stop();
  }
  return {
    workTree,
    revision: (await execa('git', ['rev-parse', 'HEAD'], { cwd: tree })).stdout,
    measured,
    machine: `${machine()}; Node ${process.version}, ${iptablesVersion()}`,
    load: loadavg()[2] ?? 0,
  };
}

async function measureRounds(
  variant: Variant,
  grounds: { readonly [build in Build]: Ground },
  settings: BuildsSettings,
): Promise<Rounds> {
  const contest = contests[variant];
  await writeNodeProxy(grounds.workTree, contest.config);
  return byTurns(builds, settings.rounds, async (build, round) => {
    const measures = await measure('ours', contest, grounds[build], settings);
    const where = `${contest.name}, round ${round}/${settings.rounds}`;
    grounds[build].progress(`${where}, ${build === 'workTree' ? 'work tree' : build}: ${inWords(measures)}`);
    return measures;
  });
}
