/**
 * A StatusView as lines for people: the screen that `proxyconfig status` shows, and the one line per change of
 * `--watch` in a pipe. Pure: styles become escape sequences, or nothing, only in screen.ts.
 */
import { ownValue } from '../../api/ownValue.ts';
import { compare } from '../../api/resolvePolicy.ts';
import type { NodeProblem, ProxyConfigView, StatusView, UngovernedNode } from './view.ts';

/** Names of node:util's styleText. */
export type TextStyle = 'bold' | 'dim' | 'green' | 'yellow' | 'red';

/** A part of a line in one style. */
export interface Span {
  readonly text: string;
  readonly style?: TextStyle | undefined;
}

/** A line of a screen, without its end. */
export type Line = readonly Span[];

/** What the lines depend on beside the view. */
export interface LineOptions {
  /** What ages are counted to. */
  readonly now: Date;
  /** Messages are wrapped at this many columns; left out, they stay on one line each. */
  readonly width?: number | undefined;
  /** Bars of blocks, for terminals that show UTF-8. */
  readonly unicode: boolean;
}

const barCells = 24;
/** Nodes listed per ProxyConfig; -o json has them all. */
const maxProblems = 10;
const stateStyles: Record<ProxyConfigView['state'], TextStyle> = {
  Ready: 'green',
  Reconciling: 'yellow',
  Paused: 'yellow',
  Stalled: 'red',
  Unseen: 'yellow',
};

/** The whole screen: each ProxyConfig, then the nodes that none governs. */
export function statusLines(view: StatusView, options: LineOptions): Line[] {
  const configs = view.proxyConfigs.flatMap((config, index) =>
    [index === 0 ? [] : [[]], configLines(config, options)].flat(),
  );
  return [...(configs.length === 0 ? noConfigLines() : configs), ...ungovernedLines(view.ungoverned)];
}

function noConfigLines(): Line[] {
  return [
    [span('There is no ProxyConfig. Nodes keep what they run; new ones run the built-in defaults (mode iptables).')],
  ];
}

function configLines(config: ProxyConfigView, options: LineOptions): Line[] {
  return [
    headLine(config),
    ...barLines(config, options),
    ...rolloutLines(config, options),
    ...messageLines(config, options),
    ...problemLines(config.problems, options),
  ];
}

function headLine({ name, mode, state, reason }: ProxyConfigView): Line {
  return [
    span(name, 'bold'),
    span(`  ${mode}  `),
    span(state, ownValue(stateStyles, state)),
    span(reason === 'AllNodesReady' ? '' : ` (${reason})`, 'dim'),
  ];
}

/** What the conditions say, without what the nodes below say themselves and what the bar shows. */
function messageLines({ reason, message, warnings, problems }: ProxyConfigView, { width }: LineOptions): Line[] {
  const listed = new Set([...problems.map((problem) => problem.reason), 'AllNodesReady']);
  const own = listed.has(reason) ? [] : paragraph(message, { indent: 2, width });
  const further = warnings.filter((warning) => !listed.has(warning.reason) && warning.message !== message);
  return [
    ...own,
    ...further.flatMap((warning) =>
      paragraph(`${warning.type} (${warning.reason}): ${warning.message}`, { indent: 2, width, style: 'yellow' }),
    ),
  ];
}

/** Nothing while nobody has counted. */
function barLines(config: ProxyConfigView, options: LineOptions): Line[] {
  return config.state === 'Unseen' && config.nodes.matched === 0 ? [] : [barLine(config, options)];
}

function barLine({ nodes }: ProxyConfigView, { unicode }: LineOptions): Line {
  const { effective, matched, failed, stale } = nodes;
  const done = doneOf(nodes);
  if (effective === 0)
    return [span(matched === 0 ? '  no nodes' : `  none of its ${matched} nodes is governed by it`, 'dim')];
  const waiting = Math.max(0, effective - done - failed);
  const counts = [
    span(`  ${done} of ${effective} ${effective === 1 ? 'node' : 'nodes'} up to date`),
    ...(failed > 0 ? [span(', '), span(`${failed} failed`, 'red')] : []),
    ...(waiting > 0 ? [span(`, ${waiting} to go`)] : []),
    ...(stale > 0 ? [span(', '), span(`${stale} without a ready agent`, 'yellow')] : []),
    ...(matched > effective ? [span(`, ${matched - effective} more governed by others`, 'dim')] : []),
  ];
  return [span('  '), ...bar({ total: effective, done, failed }, unicode), ...counts];
}

/** Nodes that run the present revision and serve; one that still runs the one before may be Ready too. */
function doneOf({ updated, ready }: ProxyConfigView['nodes']): number {
  return Math.min(updated, ready);
}

/** Full only when all are done; a single failed node is seen. */
function bar({ total, done, failed }: { total: number; done: number; failed: number }, unicode: boolean): Line {
  const [full, broken, open] = unicode ? ['█', '✗', '░'] : ['#', 'x', '.'];
  const failedCells = failed === 0 ? 0 : Math.max(1, Math.round((failed / total) * barCells));
  const doneCells = Math.min(Math.floor((done / total) * barCells), barCells - failedCells);
  const rest = barCells - doneCells - failedCells;
  return [
    span('['),
    span(full.repeat(doneCells), 'green'),
    span(broken.repeat(failedCells), 'red'),
    span(open.repeat(rest), 'dim'),
    span(']'),
  ];
}

function rolloutLines(config: ProxyConfigView, { now, width }: LineOptions): Line[] {
  const { state = 'Idle', revision, previousRevision } = config.rollout;
  const isOver = state === 'Idle' || state === 'Complete';
  const progress = isOver ? [] : progressOf(config.rollout, now);
  const before = isOver || previousRevision === undefined ? [] : [`before it ${previousRevision}`];
  const parts = [
    ...progress,
    ...(revision === undefined ? [] : [`revision ${revision}`]),
    ...before,
    ...mixedModes(config),
  ];
  return paragraph(parts.join(', '), { indent: 2, width, style: 'dim' });
}

function progressOf({ state, step, startedAt }: ProxyConfigView['rollout'], now: Date): string[] {
  return [
    `rollout ${state}`,
    ...(step === undefined ? [] : [`step ${step}`]),
    ...(startedAt === undefined ? [] : [`began ${age(startedAt, now)} ago`]),
  ];
}

/** The modes in force, where some node runs another than asked for. */
function mixedModes({ mode, modes }: ProxyConfigView): string[] {
  const inForce = Object.entries(modes).sort(([one], [other]) => compare(one, other));
  return inForce.every(([name]) => name === mode)
    ? []
    : [`in force: ${inForce.map(([name, nodes]) => `${name} ${nodes}`).join(', ')}`];
}

/** Without nodes that only have not answered yet: the bar counts them, and the message names the first. */
function problemLines(all: readonly NodeProblem[], { now, width }: LineOptions): Line[] {
  const problems = all.filter(hasAnswered);
  const shown = problems.slice(0, maxProblems);
  const columns = { node: maxLength(shown.map(({ node }) => node)), state: maxLength(shown.map(({ state }) => state)) };
  const rows = shown.flatMap((problem) =>
    [[problemRow(problem, columns, now)], paragraph(problem.message, { indent: 4, width })].flat(),
  );
  return [...rows, ...moreLine(problems)];
}

function hasAnswered({ state }: NodeProblem): boolean {
  return state !== 'Waiting';
}

function problemRow(
  { node, state, reason, since }: NodeProblem,
  columns: { readonly node: number; readonly state: number },
  now: Date,
): Line {
  const style = state === 'Failed' || state === 'Degraded' || state === 'RolledBack' ? 'red' : 'yellow';
  return [
    span(`  ${node.padEnd(columns.node)}  `),
    span(state.padEnd(columns.state), style),
    span(`  ${reason}`),
    span(since === undefined ? '' : `  for ${age(since, now)}`, 'dim'),
  ];
}

function moreLine(all: readonly unknown[]): Line[] {
  return all.length > maxProblems
    ? [[span(`  and ${all.length - maxProblems} more nodes; -o json shows all`, 'dim')]]
    : [];
}

function maxLength(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(({ length }) => length));
}

function ungovernedLines(nodes: readonly UngovernedNode[]): Line[] {
  if (nodes.length === 0) return [];
  const rows = nodes
    .slice(0, maxProblems)
    .map(({ node, lastConfig, mode }) => [span(`  ${node}  ${mode}  as ${lastConfig} had it, which is gone`)]);
  return [
    [],
    [span('No ProxyConfig governs these nodes; they keep what they run:', 'yellow')],
    ...rows,
    ...moreLine(nodes),
  ];
}

/**
 * One line of text per subject, to be shown when it changes: by the ProxyConfig's name, or `name: node` for a node that
 * is not as wanted. Nodes that only have not answered yet are counted, not named.
 */
export function changeLines(view: StatusView): Map<string, string> {
  const lines = new Map<string, string>();
  for (const { name, mode, state, reason, message, nodes, rollout, problems } of view.proxyConfigs) {
    const step = rollout.step === undefined ? '' : `, step ${rollout.step}`;
    lines.set(
      name,
      `${name}: ${state} (${reason}), ${doneOf(nodes)} of ${nodes.effective} nodes up to date, mode ${mode}${step}${message === '' ? '' : `: ${message}`}`,
    );
    for (const problem of problems.filter(hasAnswered))
      lines.set(
        `${name}: ${problem.node}`,
        `${name}: ${problem.node}: ${problem.state} (${problem.reason}): ${problem.message}`,
      );
  }
  return lines;
}

/** The lines that a reader of one view needs for the next: changed ones, new ones, and one for each that is gone. */
export function changesBetween(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  const changed = [...after].filter(([subject, line]) => before.get(subject) !== line).map(([, line]) => line);
  const gone = [...before.keys()]
    .filter((subject) => !after.has(subject))
    .flatMap((subject) => goneLines(subject, after));
  return [...changed, ...gone];
}

/** None for a node whose ProxyConfig is gone itself. */
function goneLines(subject: string, after: ReadonlyMap<string, string>): string[] {
  const [config = '', node] = subject.split(': ');
  if (node === undefined) return [`${config}: gone`];
  return after.has(config) ? [`${config}: ${node}: as wanted`] : [];
}

/** The time since then, in the largest unit of which there are two: e.g. 45s, 12m, 5h, 3d; 0s for a later time. */
export function age(since: string, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

/** Text in indented lines of at most `width` columns; a longer word has a line of its own. No lines for no text. */
export function paragraph(
  text: string,
  {
    indent,
    width = Number.POSITIVE_INFINITY,
    style,
  }: { indent: number; width?: number | undefined; style?: TextStyle },
): Line[] {
  const rows: string[] = [];
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const row = rows.at(-1);
    if (row !== undefined && indent + row.length + 1 + word.length <= width) rows.splice(-1, 1, `${row} ${word}`);
    else rows.push(word);
  }
  return rows.map((row) => [span(`${' '.repeat(indent)}${row}`, style)]);
}

function span(text: string, style?: TextStyle): Span {
  return { text, style };
}
