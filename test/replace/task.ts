/** What is asked of the program on the node. */
import type { Variant } from '../bench/node.ts';
import type { Mode } from './nodeRules.ts';

export type Build = 'revision' | 'this build';

export interface ReplaceTask {
  readonly mode: Mode;
  readonly variant: Variant;
  /** etcd and kube-apiserver, or a server of objects, which is away and back in a moment. */
  readonly api: 'real' | 'objects';
  /** How each build is started, up to the name of a command. */
  readonly products: { readonly [build in Build]: readonly string[] };
  /** In this order; the first agent is the revision's. */
  readonly replacements: readonly Replacement[];
}

export interface Replacement {
  readonly from: Build;
  readonly to: Build;
  readonly signal: 'SIGTERM' | 'SIGKILL';
  /** The next agent starts without API server and without NodeProxy, so it has only the saved configuration. */
  readonly isApiAway?: boolean;
  /** All rules of nat are deleted while no agent runs. For the test that this is seen. */
  readonly isFlushed?: boolean;
}

/** What is asked before a release. The last agent is this build's. */
export const allReplacements: readonly Replacement[] = [
  { from: 'revision', to: 'this build', signal: 'SIGTERM', isApiAway: true },
  { from: 'this build', to: 'revision', signal: 'SIGTERM', isApiAway: true },
  { from: 'revision', to: 'this build', signal: 'SIGKILL' },
  { from: 'this build', to: 'revision', signal: 'SIGKILL' },
  { from: 'revision', to: 'this build', signal: 'SIGTERM' },
];

export function nameOf({ from, to, signal, isApiAway = false, isFlushed = false }: Replacement): string {
  return `${from} to ${to} by ${signal}${isApiAway ? ', API server away' : ''}${isFlushed ? ', rules flushed' : ''}`;
}

export const aloneSteps = {
  'this build': 'this build alone, and its cleanup',
  revision: 'revision alone',
} as const satisfies Record<Build, string>;
export const cleanupStep = 'cleanup by this build';

/** Every step that a node reports, in their order. */
export function stepsOf({ replacements }: Pick<ReplaceTask, 'replacements'>): readonly string[] {
  return [aloneSteps['this build'], aloneSteps.revision, ...replacements.map(nameOf), cleanupStep];
}
