/** `npm run bench -- --profile`: where the time of a cold start goes. */
import { execa } from 'execa';
import { loadavg } from 'node:os';
import { prepareGround } from '../ground.ts';
import { iptablesLegacy } from '../iptables-legacy.ts';
import { iptablesNft } from '../iptables-nft.ts';
import { type BenchTask, exitStatus, type Inside } from '../options.ts';
import { iptablesVersion, machine, versionOf, workTreeCommit, writePart } from '../page.ts';
import type { ProxyContest } from '../proxies.ts';
import { ColdStarts } from './coldStarts.ts';
import { type ColdStartProfile, section } from './report.ts';
import { isForThePage, type ProfileSettings, profileSettings } from './settings.ts';

const contests = { nft: iptablesNft, legacy: iptablesLegacy };

/** Throws CommanderError for wrong usage. */
export function profileTask(args: readonly string[]): BenchTask {
  const settings = profileSettings(args);
  return { prepare: requirePerf, run: (inside) => run(settings, inside) };
}

async function requirePerf(): Promise<void> {
  const { exitCode } = await execa('perf', ['--version'], { reject: false });
  if (exitCode !== 0) throw new Error('there is no perf here: install it (Debian: apt-get install linux-perf)');
}

async function run(settings: ProfileSettings, { directory, progress }: Inside): Promise<number> {
  const profiles: ColdStartProfile[] = [];
  const circumstances = {
    date: new Date().toISOString().slice(0, 10),
    commit: workTreeCommit(),
    machine: machine(),
    versions: [`Node ${process.version}`, iptablesVersion(), versionOf('perf').replace(' version', '')],
  };
  const ground = await prepareGround(directory, progress, settings.endpoints);
  try {
    await ground.populate(settings.services);
    const starts = await ColdStarts.of(ground, settings.services);
    for (const variant of settings.variant)
      profiles.push(await profileOf(starts, contests[variant], { ...settings, progress }));
  } finally {
    await ground.stop();
  }
  const text = section(profiles, settings, { ...circumstances, load: loadavg()[2] ?? 0 });
  if (isForThePage(settings)) await writePart('profile', text);
  console.log(text);
  return exitStatus.done;
}

type How = ProfileSettings & Pick<Inside, 'progress'>;

/** The quietest start of each kind: what was not the agent's or its tools' own is least in it. */
async function profileOf(starts: ColdStarts, contest: ProxyContest, how: How): Promise<ColdStartProfile> {
  const agent = await quietest(
    how,
    `${contest.name}, agent`,
    () => starts.agent(contest),
    (times) => times.sum(),
  );
  const tools = await quietest(
    how,
    `${contest.name}, tools`,
    () => starts.tools(contest),
    ({ functions }) => functions.sum(),
  );
  return { variant: contest.variant, agent, tools };
}

async function quietest<Times>(
  { starts, progress }: How,
  what: string,
  measure: () => Promise<Times>,
  msOf: (times: Times) => number,
): Promise<Times> {
  const all: Times[] = [];
  for (let start = 1; start <= starts; start += 1) {
    const times = await measure();
    progress(`${what}, ${start}/${starts}: ${Math.round(msOf(times))} ms`);
    all.push(times);
  }
  return all.reduce((least, each) => (msOf(each) < msOf(least) ? each : least));
}
