/**
 * What the demo's steps are made of: commands of people, and how soon they must show their result.
 */
import { fileURLToPath } from 'node:url';
import { succeeds } from './expectations.ts';
import { type Action, type Expectation, kubectl, node, onNode, outside, type Scene, type Step } from './scene.ts';

export interface Chapter {
  readonly title: string;
  readonly steps: readonly Step[];
}

export const seconds = 1000;
export const manifest = (name: string): string => fileURLToPath(new URL(`manifests/${name}.yaml`, import.meta.url));

/** Passes by what the API server and the kubelets do alone. */
export const step = (title: string, action: Action, expect: Expectation, withinMs = 30 * seconds): Step => ({
  title,
  needsAgents: false,
  action,
  expect,
  withinMs,
});
/** Passes only when agents have programmed the nodes. */
export const served = (title: string, action: Action, expect: Expectation, withinMs = 20 * seconds): Step => ({
  title,
  needsAgents: true,
  action,
  expect,
  withinMs,
});

export const apply = (title: string, name: string): Step => applyOf(title, () => name);
/** A manifest whose name the scene decides. */
export const applyOf = (title: string, nameIn: (scene: Scene) => string): Step =>
  step(
    title,
    kubectl((scene) => ['apply', '-f', manifest(nameIn(scene))]),
    succeeds,
  );
export const rolledOut = (...workload: readonly string[]): Step =>
  step(
    `${workload.at(-1)} is up`,
    kubectl(['rollout', 'status', '--timeout=90s', ...workload]),
    succeeds,
    100 * seconds,
  );

export const redisChain = 'KUBE-SVC-FWZO4IPCTY5IWGE6';
export const redisCli = (...words: readonly string[]): Action =>
  outside((scene) => ['redis-cli', '-h', node(scene, 0).address, '-p', '31269', ...words]);
export const manyRequests = (host: string, count: number): readonly string[] => [
  'curl',
  '-s',
  '--fail-early',
  '--connect-timeout',
  '2',
  '-H',
  'Connection: close',
  `http://${host}/?[1-${count}]`,
];
export const myappRequests = outside((scene) => manyRequests(`${node(scene, 0).address}:30080`, 60));
/** The lines of the node's nat table that hold a text, as an administrator looks for them. */
export const natLinesWith = (text: string): Action => onNode(['sh', '-c', `iptables-save -t nat | grep -- '${text}'`]);
export const endpointAddresses = (service: string, namespace: string): Action =>
  kubectl([
    '-n',
    namespace,
    'get',
    'endpointslices',
    '-l',
    `kubernetes.io/service-name=${service}`,
    '-o',
    'jsonpath={range .items[*].endpoints[*]}{.addresses[0]}{"\\n"}{end}',
  ]);
export const nginxVIP = '10.254.198.92';
