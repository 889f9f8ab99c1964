/**
 * The conditions of a ProxyConfig. Ready, Reconciling and Stalled mean what kstatus says they mean: exactly one of "Ready is True",
 * "Reconciling is True" and "Stalled is True" holds, except while paused, where none does.
 */
import type { ConditionNow } from '../api/conditions.ts';
import type { NodeCounts, NodeOutcome } from './nodeOutcome.ts';
import type { Target } from './resolve.ts';

export interface Situation {
  readonly target: Target;
  readonly outcomes: readonly NodeOutcome[];
  readonly nodes: NodeCounts;
}

type Verdict = { readonly kind: 'ready' | 'reconciling' | 'stalled' | 'paused'; readonly reason: string; readonly message: string };

const maxMessage = 1024;

export function conditionsOf(situation: Situation): ConditionNow[] {
  const verdict = verdictOf(situation);
  return [
    condition('Ready', verdict.kind === 'ready', verdict),
    condition('Reconciling', verdict.kind === 'reconciling', verdict),
    condition('Stalled', verdict.kind === 'stalled', verdict),
    conflicted(situation.target),
    degraded(situation),
    drifted(situation),
  ];
}

function verdictOf({ target, outcomes, nodes }: Situation): Verdict {
  if (target.lostTo.length > 0) return { kind: 'stalled', reason: 'Conflicted', message: conflictMessage(target) };
  if (nodes.effective === 0) return { kind: 'ready', reason: 'NoNodes', message: noNodesMessage(target) };
  if (nodes.ready === nodes.effective) return { kind: 'ready', reason: 'AllNodesReady', message: `all ${nodes.effective} nodes run revision ${target.revision}` };
  const failure = outcomes.find(({ phase }) => phase === 'Failed')?.problem;
  if (failure && nodes.ready + nodes.failed === nodes.effective) return { kind: 'stalled', reason: failure.reason, message: failedMessage(outcomes) };
  const progress = `${nodes.ready} of ${nodes.effective} nodes run revision ${target.revision}`;
  if (target.config.spec.paused) return { kind: 'paused', reason: 'Paused', message: `paused: ${progress}` };
  if (failure) return { kind: 'reconciling', reason: failure.reason, message: `${progress}; ${failedMessage(outcomes)}` };
  return { kind: 'reconciling', reason: 'RollingOut', message: `${progress}; waiting for ${listed(outcomes.filter(({ phase }) => phase !== 'Ready'))}` };
}

function conflicted(target: Target): ConditionNow {
  return condition('Conflicted', target.lostTo.length > 0, { reason: target.lostTo.length > 0 ? 'SamePriority' : 'NoConflict', message: conflictMessage(target) });
}

function conflictMessage({ lostTo, config }: Target): string {
  if (lostTo.length === 0) return '';
  return `${lostTo.join(', ')} of the same priority ${config.spec.priority} governs nodes that this selects too (the older one wins, then the name): give one a higher spec.priority or narrow a nodeSelector`;
}

function noNodesMessage({ matched }: Target): string {
  return matched === 0 ? 'no Linux node matches spec.nodeSelector' : `all ${matched} matching nodes are governed by a ProxyConfig of higher priority`;
}

/** Something is not as wanted although the rest serves: failed nodes, Services left out, agents that cannot report. */
function degraded({ outcomes, nodes }: Situation): ConditionNow {
  const impaired = outcomes.filter(({ problem }) => problem !== undefined);
  const first = outcomes.find(({ phase }) => phase === 'Failed') ?? impaired[0];
  if (first?.problem) return condition('Degraded', true, { reason: first.problem.reason, message: problemsMessage(impaired) });
  const stale = outcomes.filter(({ stale: isStale }) => isStale);
  if (stale.length > 0) return condition('Degraded', true, { reason: 'AgentsNotReady', message: `no ready agent Pod on ${listed(stale)}: their rules stand, their report may be old` });
  return condition('Degraded', false, { reason: nodes.effective === 0 ? 'NoNodes' : 'AsExpected', message: '' });
}

function drifted({ outcomes }: Situation): ConditionNow {
  const nodes = outcomes.filter(({ drifted: isDrifted }) => isDrifted);
  return condition('Drifted', nodes.length > 0, nodes.length > 0 ? { reason: 'RulesDiffer', message: `rules differ from what was applied on ${listed(nodes)}` } : { reason: 'AsExpected', message: '' });
}

function failedMessage(outcomes: readonly NodeOutcome[]): string {
  return problemsMessage(outcomes.filter(({ phase }) => phase === 'Failed'));
}

function problemsMessage(outcomes: readonly NodeOutcome[]): string {
  return shortened(outcomes, 3, ({ node, problem }) => `${node}: ${problem?.message || problem?.reason}`, '; ');
}

function listed(outcomes: readonly NodeOutcome[]): string {
  return shortened(outcomes, 5, ({ node }) => node, ', ');
}

function shortened(outcomes: readonly NodeOutcome[], most: number, text: (outcome: NodeOutcome) => string, separator: string): string {
  const shown = outcomes.slice(0, most).map(text).join(separator);
  return outcomes.length > most ? `${shown}${separator}and ${outcomes.length - most} more` : shown;
}

function condition(type: string, holds: boolean, { reason, message }: { reason: string; message: string }): ConditionNow {
  return { type, status: holds ? 'True' : 'False', reason, message: message.slice(0, maxMessage) };
}
