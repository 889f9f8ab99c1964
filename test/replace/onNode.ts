/**
 * Runs on the node, in a network namespace or a kernel of its own: the agent of one build after that of the other,
 * under traffic. Prints a StepReport for each step, as a line of JSON.
 *   node onNode.ts TASK.json
 */
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { until } from '../support/until.ts';
import type { Snapshot } from '../uml/nodeSnapshot.ts';
import { figuresOf, problemsOf } from './judgement.ts';
import { count, ruleDifferences } from './nodeRules.ts';
import { ReplacedNode } from './replacedNode.ts';
import type { StepReport } from './report.ts';
import { aloneSteps, type Build, cleanupStep, nameOf, type Replacement, type ReplaceTask } from './task.ts';

/** For what an agent does after it has said Ready. */
const settleMs = 20_000;

type Findings = Omit<StepReport, 'step' | 'seconds'>;

const task = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as ReplaceTask;
const node = await ReplacedNode.start(task);
const empty = await node.rules();
/** What each build leaves on a node that never had another. */
const alone: { [build in Build]?: Snapshot } = {};

/** What still differs when an agent has had its time. */
async function settledDifferences(wanted: Snapshot): Promise<readonly string[]> {
  let found: readonly string[] = [];
  const isSame = async (): Promise<boolean> => {
    found = ruleDifferences(await node.rules(), wanted);
    return found.length === 0;
  };
  await until('the rules are as they should be', isSame, settleMs).catch(() => undefined);
  return found;
}

async function serveAlone(build: Build): Promise<void> {
  node.startAgent(build);
  await node.configure();
  await node.changeService();
  alone[build] = await node.rules();
}

async function thisBuildAlone(): Promise<Findings> {
  await serveAlone('this build');
  const ended = await node.endAgent('SIGTERM');
  const rules = { before: count(empty), after: count(alone['this build'] ?? {}) };
  await node.cleanup();
  return { problems: [...ended, ...(await settledDifferences(empty))], rules };
}

async function revisionAlone(): Promise<Findings> {
  const before = count(await node.rules());
  await serveAlone('revision');
  const { revision = {}, 'this build': thisBuild = {} } = alone;
  const others = ruleDifferences(revision, thisBuild);
  const note =
    others.length === 0
      ? 'both builds write the same rules'
      : `the builds write different rules; the revision: ${others.join('; ')}`;
  return { problems: [], rules: { before, after: count(revision) }, note };
}

async function replace({ to, signal, isApiAway = false, isFlushed = false }: Replacement): Promise<Findings> {
  const problems: string[] = [];
  const before = await node.rules();
  const reports = await node.underTraffic(async () => {
    problems.push(...(await node.endAgent(signal)));
    if (isFlushed) await node.flush();
    if (isApiAway) problems.push(...(await node.startAgentWithSavedConfig(to)));
    else node.startAgent(to);
    await node.configure();
    await node.changeService();
  });
  problems.push(...problemsOf(reports));
  const leftOver = await settledDifferences(alone[to] ?? {});
  problems.push(...leftOver.map((line) => `not what the next build alone has: ${line}`));
  const rules = { before: count(before), after: count(await node.rules()) };
  return { problems, traffic: figuresOf(reports), rules, note: comparison(before, await node.rules()) };
}

function comparison(before: Snapshot, after: Snapshot): string {
  const changed = ruleDifferences(after, before);
  return changed.length === 0 ? 'no rule has changed' : `changed: ${changed.join('; ')}`;
}

async function cleanUp(): Promise<Findings> {
  const before = count(await node.rules());
  const ended = await node.endAgent('SIGTERM');
  await node.cleanup();
  const problems = [...ended, ...(await settledDifferences(empty))];
  return { problems, rules: { before, after: count(await node.rules()) } };
}

/** Resolves to whether the next one makes sense. */
async function step(name: string, work: () => Promise<Findings>): Promise<boolean> {
  const started = performance.now();
  let isOver = false;
  const findings = await work().catch((error: unknown): Findings => {
    isOver = true;
    return { problems: [inspect(error), node.log()] };
  });
  const report: StepReport = { step: name, seconds: (performance.now() - started) / 1000, ...findings };
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return !isOver;
}

const steps: readonly (readonly [string, () => Promise<Findings>])[] = [
  [aloneSteps['this build'], thisBuildAlone],
  [aloneSteps.revision, revisionAlone],
  ...task.replacements.map((each) => [nameOf(each), () => replace(each)] as const),
  [cleanupStep, cleanUp],
];
for (const [name, work] of steps) if (!(await step(name, work))) break;
await node.stop();
process.exit(0);
