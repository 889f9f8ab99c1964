/** Profiles of cold starts as a part of docs/performance.md. */
import type { Variant } from '../node.ts';
import type { FunctionTime, FunctionTimes } from './functionTimes.ts';
import type { ProfileSettings } from './settings.ts';
import type { ToolTimes } from './toolStacks.ts';

export interface ColdStartProfile {
  readonly variant: Variant;
  readonly agent: FunctionTimes;
  readonly tools: ToolTimes;
}

export interface Circumstances {
  /** As ISO 8601 writes it. */
  readonly date: string;
  readonly commit: string;
  /** CPUs, memory and kernel. */
  readonly machine: string;
  readonly versions: readonly string[];
  /** The load average of 15 minutes at the end. */
  readonly load: number;
}

/** Of each side. */
const shownFunctions = 10;

export function section(
  profiles: readonly ColdStartProfile[],
  { services, endpoints, starts }: ProfileSettings,
  { date, commit, machine, versions, load }: Circumstances,
): string {
  return `## Where a cold start goes

The functions that take most time by themselves when an agent meets ${services.toLocaleString('en')} Services of ${endpoints} endpoints on a node without rules; beside it
what they take with all that they call. Measured ${date} at commit ${commit} on ${machine}; ${versions.join(', ')}.

${profiles.map(variantTable).join('\n\n')}

The agent is its main thread, by \`node --cpu-prof\`, which counts time, so that what it waits for other threads is in it. The tools are all programs that it
ran, by \`perf record -e cpu-clock --call-graph dwarf\`, which counts CPU; a function of the C library is named with its caller. Each profile is that of the quietest of
${starts} starts, at \`nice -20\`, because the machine was shared: its load average was ${load.toFixed(1)} at the end. A profiler makes a start slower.

\`npm run bench -- --profile\` measures this alone. A program's functions have names where perf finds its debug symbols: Debian's -dbgsym packages, or the program
built from Debian's source of the same version.`;
}

function variantTable({ variant, agent, tools }: ColdStartProfile): string {
  const sides = [agent, tools.functions].map((times) => ({ all: times.sum(), largest: times.largest(shownFunctions) }));
  const rows = Array.from({ length: shownFunctions }, (_, index) =>
    sides.flatMap(({ largest, all }) => cells(largest[index], all)),
  );
  const lines = [
    ['agent', 'alone', 'in all', 'tools', 'alone', 'in all'],
    ['---', '---:', '---:', '---', '---:', '---:'],
    ...rows,
  ].map((line) => `| ${line.join(' | ')} |`);
  return [`### iptables-${variant}`, inWords(agent, tools), lines.join('\n')].join('\n\n');
}

/** `all`: milliseconds of everything on that side. */
function cells(time: FunctionTime | undefined, all: number): readonly string[] {
  if (time === undefined) return ['', '', ''];
  const inShares = (each: number): string => `${ms(each)} (${((100 * each) / all).toFixed(0)} %)`;
  return [`\`${time.what.replaceAll('|', String.raw`\|`)}\``, inShares(time.ownMs), inShares(time.totalMs)];
}

/** Of what is less than a hundredth nothing is said. */
function inWords(agent: FunctionTimes, { functions, programs, unnamedMs, ...threads }: ToolTimes): string {
  const isSeen = (each: number): boolean => each >= functions.sum() / 100;
  const tools = programs.filter(([, each]) => isSeen(each)).map(([name, each]) => `${name} ${ms(each)}`);
  const symbols = isSeen(unnamedMs) ? ` Of that, ${ms(unnamedMs)} are in code whose symbols were not there.` : '';
  return `The agent's main thread was busy for ${ms(agent.sum())}. In a start without its profiler it used ${ms(threads.mainThreadMs)} of CPU, and V8's own
threads, which collect garbage and compile, ${ms(threads.otherThreadsMs)}. The tools used ${ms(functions.sum())} of CPU: ${tools.join(', ')}.${symbols}`;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}
