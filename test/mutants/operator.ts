/** @module Mutants of which ProxyConfig a node follows, and the course of a rollout. */
import type { Mutant } from './mutant.ts';

const rollout = 'test/operator/rollout.test.ts';
const resolvePolicy = 'test/api/resolvePolicy.test.ts';

export const operatorMutants: readonly Mutant[] = [
  {
    name: 'the younger ProxyConfig wins a tie',
    file: 'src/api/resolvePolicy.ts',
    find: "compare(one.metadata.creationTimestamp ?? '9999', other.metadata.creationTimestamp ?? '9999')",
    replace: "compare(other.metadata.creationTimestamp ?? '9999', one.metadata.creationTimestamp ?? '9999')",
    test: resolvePolicy,
    killer: 'the older of equal priority',
  },
  {
    name: 'the lower priority wins',
    file: 'src/api/resolvePolicy.ts',
    find: 'other.spec.priority - one.spec.priority',
    replace: 'one.spec.priority - other.spec.priority',
    test: resolvePolicy,
    killer: 'the higher priority, however young',
  },
  {
    name: 'a Windows node is governed',
    file: 'src/api/resolvePolicy.ts',
    find: "(nodeLabels['kubernetes.io/os'] ?? 'linux') === 'linux' && matches",
    replace: 'matches',
    test: resolvePolicy,
    killer: 'nobody governs a Windows node',
  },
  {
    name: 'an answer to an earlier spec counts',
    file: 'src/operator/nodeOutcome.ts',
    find: '(status?.observedGeneration ?? -1) >= (metadata.generation ?? 0)',
    replace: '(metadata.generation ?? 0) >= 0 || status === undefined',
    test: 'test/operator/aggregateStatus.test.ts',
    killer: 'an answer to an earlier spec, although its revision is the right one',
  },
  {
    name: 'one node more than maxUnavailable is changed',
    file: 'src/operator/rollout.ts',
    find: 'rollout.maxUnavailable, outcomes.length);',
    replace: 'rollout.maxUnavailable, outcomes.length) + 1;',
    test: rollout,
    killer: 'the course of a rollout one at a time',
  },
  {
    name: 'a percentage of nodes is rounded down',
    file: 'src/operator/rolloutState.ts',
    find: 'Math.ceil((Number.parseInt(value, 10)',
    replace: 'Math.floor((Number.parseInt(value, 10)',
    test: rollout,
    killer: 'the course of a rollout as many at a time as may be unavailable',
  },
  {
    name: 'nodes are changed although the ProxyConfig is paused',
    file: 'src/operator/rollout.ts',
    find: 'if (config.spec.paused) return',
    replace: "if (config.spec.paused && rollout.state === 'Idle') return",
    test: rollout,
    killer: 'what a node is told a change while paused',
  },
  {
    name: 'a revision that was rolled back is tried again by itself',
    file: 'src/operator/rolloutTransitions.ts',
    find: 'hasGivenUp && observedGeneration',
    replace: 'hasGivenUp || observedGeneration',
    test: rollout,
    killer: 'a rolled-back change is tried again after a change of spec, and not before',
  },
  {
    name: 'a node that becomes NotReady counts as failed',
    file: 'src/operator/rolloutState.ts',
    find: "return reachable && belongs && phase === 'Failed' && assigned === revision;",
    replace: "return belongs && (!reachable || phase === 'Failed') && assigned === revision;",
    test: rollout,
    killer: 'a node that becomes NotReady with the new revision has not failed',
  },
  {
    name: 'a node out of reach is free to be lost',
    file: 'src/operator/rollout.ts',
    find: "return outcome.reachable && outcome.phase === 'Ready'",
    replace: "return outcome.phase === 'Ready'",
    test: rollout,
    killer: 'a node out of reach takes its share of the budget',
  },
  {
    name: 'a node is done before minReadySeconds',
    file: 'src/operator/rolloutState.ts',
    find: 'minReadySeconds * 1000;\n}\n\n/** Nodes',
    replace: 'minReadySeconds;\n}\n\n/** Nodes',
    test: rollout,
    killer: 'the next one only after minReadySeconds',
  },
];
