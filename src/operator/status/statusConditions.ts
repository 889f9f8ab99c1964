/**
 * The conditions of a ProxyConfig. Ready, Reconciling and Stalled mean what kstatus says they mean: exactly one of
 * "Ready is True", "Reconciling is True" and "Stalled is True" holds, except while paused, where none does.
 */
import type { ConditionNow } from '../../api/conditions.ts';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import { ownValue } from '../../api/ownValue.ts';
import type { NodeCounts, NodeOutcome } from '../rollout/nodeOutcome.ts';
import type { Target } from '../rollout/resolve.ts';
import { stepOf, type Rollout } from '../rollout/rolloutState.ts';
import { deprecatedMode } from './deprecatedMode.ts';

type Failure = NonNullable<ProxyConfigStatus['failures']>[number];

/** What the conditions are made of. */
export interface Findings {
  readonly target: Target;
  readonly outcomes: readonly NodeOutcome[];
  readonly nodes: NodeCounts;
  readonly rollout: Rollout;
  readonly failures: readonly Failure[];
}

type Verdict = {
  readonly kind: 'ready' | 'reconciling' | 'stalled' | 'paused';
  readonly reason: string;
  readonly message: string;
};

/**
 * Six conditions, always, and DeprecatedMode where it holds; each with a reason. Messages may be longer than the CRD
 * allows.
 */
export function conditionsOf(findings: Findings): ConditionNow[] {
  const verdict = verdictOf(findings);
  return [
    condition('Ready', verdict.kind === 'ready', verdict),
    condition('Reconciling', verdict.kind === 'reconciling', verdict),
    condition('Stalled', verdict.kind === 'stalled', verdict),
    conflicted(findings.target),
    degraded(findings),
    drifted(findings),
    ...[deprecatedMode(findings.target.config.spec.mode)].filter((found) => found !== undefined),
  ];
}

function verdictOf(findings: Findings): Verdict {
  const { target, outcomes, nodes, rollout } = findings;
  if (target.lostTo.length > 0) return { kind: 'stalled', reason: 'Conflicted', message: conflictMessage(target) };
  if (nodes.effective === 0) return { kind: 'ready', reason: 'NoNodes', message: noNodesMessage(target) };
  if (outcomes.every(({ ignoredAsUnreachable }) => ignoredAsUnreachable)) {
    return {
      kind: 'stalled',
      reason: 'NodesUnreachable',
      message: `no node is in reach (NotReady, or its agent is not ready or does not answer): ${listed(outcomes)}`,
    };
  }
  return (ownValue(verdicts, rollout.state) ?? underway)(findings);
}

const verdicts: Record<Rollout['state'], (findings: Findings) => Verdict> = {
  Idle: underway,
  Progressing: underway,
  Paused: underway,
  Complete: completed,
  RollingBack: (findings) => ({
    kind: 'reconciling',
    reason: 'RollingBack',
    message: `nodes go back; ${failuresMessage(findings)}`,
  }),
  RolledBack: (findings) => ({
    kind: 'stalled',
    reason: 'RolledBack',
    message: `nodes went back; change spec to try again; ${failuresMessage(findings)}`,
  }),
  Failed: (findings) => ({
    kind: 'stalled',
    reason: findings.failures[0]?.reason ?? 'RolloutFailed',
    message: `${progressOf(findings)}; the rollout has stopped; ${failuresMessage(findings)}`,
  }),
};

/** A rollout that is over does not cover a node that has failed since, or has come since. */
function completed(findings: Findings): Verdict {
  const { outcomes, target } = findings;
  const missing = outcomes.filter((outcome) => !serves(outcome) && !outcome.ignoredAsUnreachable);
  const failed = missing.filter(({ phase }) => phase === 'Failed');
  if (missing.length === 0) {
    const unreached = outcomes.filter((outcome) => !serves(outcome));
    if (unreached.length === 0) return { kind: 'ready', reason: 'AllNodesReady', message: progressOf(findings) };
    const neverServed = unreached.filter((outcome) => outcome.neverServed && outcome.isAgentExpected);
    if (neverServed.length > 0)
      return { kind: 'stalled', reason: 'NodesNeverServed', message: neverMessage(findings, neverServed) };
    return {
      kind: 'ready',
      reason: 'AllReachableNodesReady',
      message: `${progressOf(findings)}; the others are out of reach: ${listed(unreached)}`,
    };
  }
  if (failed[0]?.problem && failed.length === missing.length)
    return { kind: 'stalled', reason: failed[0].problem.reason, message: problemsMessage(failed) };
  return target.config.spec.paused ? paused(findings) : rollingOut(findings, missing);
}

function neverMessage(findings: Findings, nodes: readonly NodeOutcome[]): string {
  return `${progressOf(findings)}; the agent has never served on ${listed(nodes)}: look at its Pod there`;
}

function paused(findings: Findings): Verdict {
  return { kind: 'paused', reason: 'Paused', message: `paused: ${progressOf(findings)}` };
}

function underway(findings: Findings): Verdict {
  const { target, outcomes, rollout } = findings;
  if (target.config.spec.paused) return paused(findings);
  const pause = stepOf({ target }, rollout)?.pause;
  if (rollout.state === 'Paused' && pause?.seconds !== undefined) {
    return {
      kind: 'reconciling',
      reason: 'PausedAtStep',
      message: `${progressOf(findings)}; step ${rollout.step} waits for ${pause.seconds} s`,
    };
  }
  if (rollout.state === 'Paused') {
    return {
      kind: 'paused',
      reason: 'PausedAtStep',
      message: `${progressOf(findings)}; step ${rollout.step} waits until its pause is taken out of spec.rollout.steps`,
    };
  }
  return rollingOut(
    findings,
    outcomes.filter((outcome) => outcome.assigned === target.revision && !serves(outcome)),
  );
}

function rollingOut(findings: Findings, waitedFor: readonly NodeOutcome[]): Verdict {
  const { outcomes } = findings;
  const failed = outcomes.filter(({ phase }) => phase === 'Failed');
  const unreached = outcomes.filter(({ reachable, ignoredAsUnreachable }) => !reachable && !ignoredAsUnreachable);
  const parts = [
    progressOf(findings),
    ...(failed.length > 0
      ? [problemsMessage(failed)]
      : waitedFor.length > 0
        ? [`waiting for ${listed(waitedFor)}`]
        : []),
    ...(unreached.length > 0 ? [`out of reach: ${listed(unreached)}`] : []),
  ];
  return { kind: 'reconciling', reason: failed[0]?.problem?.reason ?? 'RollingOut', message: parts.join('; ') };
}

function serves({ updated, phase }: NodeOutcome): boolean {
  return updated && phase === 'Ready';
}

function progressOf({ outcomes, nodes, target }: Findings): string {
  return `${outcomes.filter(serves).length} of ${nodes.effective} nodes run revision ${target.revision}`;
}

function conflicted(target: Target): ConditionNow {
  return condition('Conflicted', target.lostTo.length > 0, {
    reason: target.lostTo.length > 0 ? 'SamePriority' : 'NoConflict',
    message: conflictMessage(target),
  });
}

function conflictMessage({ lostTo, config }: Target): string {
  if (lostTo.length === 0) return '';
  return `${lostTo.join(', ')} of the same priority ${config.spec.priority} governs nodes that this selects too (the older one wins, then the name): give one a higher spec.priority or narrow a nodeSelector`;
}

function noNodesMessage({ matched }: Target): string {
  return matched === 0
    ? 'no Linux node matches spec.nodeSelector'
    : `all ${matched} matching nodes are governed by a ProxyConfig of higher priority`;
}

/** Something is not as desired although the rest serves: failed nodes, Services left out, agents that cannot report. */
function degraded({ outcomes, nodes }: Findings): ConditionNow {
  const impaired = outcomes.filter(({ problem }) => problem !== undefined);
  const first = outcomes.find(({ phase }) => phase === 'Failed') ?? impaired[0];
  if (first?.problem)
    return condition('Degraded', true, { reason: first.problem.reason, message: problemsMessage(impaired) });
  const stale = outcomes.filter(({ reachable }) => !reachable);
  if (stale.length > 0)
    return condition('Degraded', true, {
      reason: 'AgentsNotReady',
      message: `NotReady, or the agent is not ready or does not answer: ${listed(stale)}; their rules stand, their report may be old`,
    });
  return condition('Degraded', false, { reason: nodes.effective === 0 ? 'NoNodes' : 'AsExpected', message: '' });
}

function drifted({ outcomes }: Findings): ConditionNow {
  const nodes = outcomes.filter(({ drifted: isDrifted }) => isDrifted);
  return condition(
    'Drifted',
    nodes.length > 0,
    nodes.length > 0
      ? { reason: 'RulesDiffer', message: `rules differ from what was applied on ${listed(nodes)}` }
      : { reason: 'AsExpected', message: '' },
  );
}

function failuresMessage({ failures, rollout }: Findings): string {
  const shown = failures.slice(0, 3).map(({ node, reason, message }) => `${node}: ${message ?? reason}`);
  return `revision ${rollout.revision} failed on ${shown.join('; ')}${failures.length > 3 ? '; and more' : ''}`;
}

function problemsMessage(outcomes: readonly NodeOutcome[]): string {
  return shortened(outcomes, 3, ({ node, problem }) => `${node}: ${problem?.message || problem?.reason}`, '; ');
}

function listed(outcomes: readonly NodeOutcome[]): string {
  return shortened(outcomes, 5, ({ node }) => node, ', ');
}

function shortened(
  outcomes: readonly NodeOutcome[],
  max: number,
  text: (outcome: NodeOutcome) => string,
  separator: string,
): string {
  const shown = outcomes.slice(0, max).map(text).join(separator);
  return outcomes.length > max ? `${shown}${separator}and ${outcomes.length - max} more` : shown;
}

function condition(
  type: string,
  holds: boolean,
  { reason, message }: { reason: string; message: string },
): ConditionNow {
  return { type, status: holds ? 'True' : 'False', reason, message };
}
