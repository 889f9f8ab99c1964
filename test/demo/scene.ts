/**
 * @module What the demo's steps act on, and the few ways in which they act: kubectl, a command on a node, in a pod, or
 * outside of the cluster.
 */
import type { Cluster, ClusterNode } from '../cluster/cluster.ts';

export interface Scene {
  readonly cluster: Cluster;
}

export interface Answer {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command as a person would type it, and how it is run. */
export interface Action {
  shown(scene: Scene): string;
  perform(scene: Scene): Promise<Answer>;
}

/** Undefined when the answer is as it should be, else what is wrong with it. */
export type Expectation = (answer: Answer, scene: Scene) => string | undefined;

export interface Step {
  readonly title: string;
  /** Whether the step can only pass when an agent programs the nodes. */
  readonly needsAgents: boolean;
  readonly action: Action;
  readonly expect: Expectation;
  /** Milliseconds within which the answer must be as expected; the command is repeated until then. */
  readonly withinMs: number;
}

type Argv = readonly string[] | ((scene: Scene) => readonly string[]);

const resolved = (argv: Argv, scene: Scene): readonly string[] => (typeof argv === 'function' ? argv(scene) : argv);
const quoted = (argv: readonly string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ');

export function node(scene: Scene, index: number): ClusterNode {
  const found = scene.cluster.nodes[index];
  if (!found) throw new Error(`the cluster has no node ${index}`);
  return found;
}

export function kubectl(argv: Argv): Action {
  return {
    shown: (scene) => `kubectl ${quoted(resolved(argv, scene))}`,
    perform: (scene) => scene.cluster.kubectl(resolved(argv, scene)),
  };
}

/** In the network of the first node, as its administrator would. */
export function onNode(argv: Argv): Action {
  return {
    shown: (scene) => `[${node(scene, 0).name}] ${quoted(resolved(argv, scene))}`,
    perform: (scene) => node(scene, 0).exec(resolved(argv, scene)),
  };
}

/** From a machine outside of the cluster, which knows the nodes' addresses and no others. */
export function outside(argv: Argv): Action {
  return {
    shown: (scene) => `[outside] ${quoted(resolved(argv, scene))}`,
    perform: (scene) => scene.cluster.outside.exec(resolved(argv, scene)),
  };
}

/** In the pod `client`, through the kubelet. */
export function inClientPod(argv: Argv): Action {
  return kubectl((scene) => ['exec', 'client', '--', ...resolved(argv, scene)]);
}

/** Something that a person would do to the machines themselves. */
export function deed(shown: string, perform: (scene: Scene) => Promise<void>): Action {
  return {
    shown: () => shown,
    perform: async (scene) => {
      await perform(scene);
      return { exitCode: 0, stdout: '', stderr: '' };
    },
  };
}
