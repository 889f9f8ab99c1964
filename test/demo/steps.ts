/**
 * @module The demo's story as data: each step a command, what must come back, and how soon.
 *
 * The test of the whole product runs the same steps as assertions (test/e2e).
 */
import { fileURLToPath } from 'node:url';
import {
  all,
  alwaysTheSame,
  contains,
  evenSpread,
  forEachNode,
  hasLines,
  lacks,
  refusedNaming,
  succeeds,
} from './expectations.ts';
import {
  type Action,
  deed,
  type Expectation,
  inClientPod,
  kubectl,
  node,
  onNode,
  outside,
  type Step,
} from './scene.ts';

export interface Chapter {
  readonly title: string;
  readonly steps: readonly Step[];
}

const seconds = 1000;
const manifest = (name: string): string => fileURLToPath(new URL(`manifests/${name}.yaml`, import.meta.url));

/** Passes by what the API server and the kubelets do alone. */
const step = (title: string, action: Action, expect: Expectation, withinMs = 30 * seconds): Step => ({
  title,
  needsAgents: false,
  action,
  expect,
  withinMs,
});
/** Passes only when agents have programmed the nodes. */
const served = (title: string, action: Action, expect: Expectation, withinMs = 20 * seconds): Step => ({
  title,
  needsAgents: true,
  action,
  expect,
  withinMs,
});

const apply = (title: string, name: string): Step => step(title, kubectl(['apply', '-f', manifest(name)]), succeeds);
const rolledOut = (...workload: readonly string[]): Step =>
  step(
    `${workload.at(-1)} is up`,
    kubectl(['rollout', 'status', '--timeout=90s', ...workload]),
    succeeds,
    100 * seconds,
  );

const redisChain = 'KUBE-SVC-FWZO4IPCTY5IWGE6';
const redisCli = (...words: readonly string[]): Action =>
  outside((scene) => ['redis-cli', '-h', node(scene, 0).ipv4, '-p', '31269', ...words]);
const manyRequests = (host: string, count: number): readonly string[] => [
  'curl',
  '-s',
  '--fail-early',
  '--connect-timeout',
  '2',
  '-H',
  'Connection: close',
  `http://${host}/?[1-${count}]`,
];
const myappRequests = outside((scene) => manyRequests(`${node(scene, 0).ipv4}:30080`, 60));
/** The lines of the node's nat table that hold a text, as an administrator looks for them. */
const natLinesWith = (text: string): Action => onNode(['sh', '-c', `iptables-save -t nat | grep -- '${text}'`]);
const endpointAddresses = (service: string, namespace: string): Action =>
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

const preparation: Chapter = {
  title: 'A ProxyConfig governs every node',
  steps: [
    apply('The ProxyConfig is applied', 'proxyconfig'),
    served(
      'It becomes Ready: every node says so',
      kubectl(['wait', '--for=condition=Ready', 'proxyconfig.proxyconfig.dev/default', '--timeout=5s']),
      succeeds,
      70 * seconds,
    ),
    apply('A pod to send requests from', 'client'),
    step(
      'The pod runs',
      kubectl(['wait', '--for=condition=Ready', 'pod/client', '--timeout=5s']),
      succeeds,
      70 * seconds,
    ),
  ],
};

const pathOfRedis: readonly string[] = [
  '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
  '-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  '--dport 31269 -j KUBE-EXT-FWZO4IPCTY5IWGE6',
  '-j KUBE-MARK-MASQ',
  '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
  '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
  '-j DNAT --to-destination',
];

const redis: Chapter = {
  title: 'A. Redis behind a NodePort',
  steps: [
    apply('One Redis pod and its Service', 'redis'),
    rolledOut('-n', 'work', 'deployment/saythx-redis'),
    served('From outside, a value is set', redisCli('set', 'name', 'kubernetes'), contains('OK')),
    served('From outside, the value is read', redisCli('get', 'name'), contains('kubernetes')),
    step('The Service has one endpoint', endpointAddresses('saythx-redis', 'work'), hasLines(1)),
    served(
      "The path through the node's nat table is kube-proxy's",
      onNode(['iptables-save', '-t', 'nat']),
      contains(...pathOfRedis),
    ),
    served(
      'The node sends the cluster IP to the chain that kube-proxy would use',
      onNode(['iptables', '-t', 'nat', '-S', 'KUBE-SERVICES']),
      contains('10.103.193.175/32', 'work/saythx-redis cluster IP', redisChain),
    ),
    step('Scaled to two', kubectl(['-n', 'work', 'scale', '--replicas=2', 'deployment/saythx-redis']), succeeds),
    rolledOut('-n', 'work', 'deployment/saythx-redis'),
    step('The Service has two endpoints', endpointAddresses('saythx-redis', 'work'), hasLines(2)),
    served(
      "The node's rules followed: the first endpoint with probability 0.5",
      onNode(['iptables', '-t', 'nat', '-S', redisChain]),
      contains('--probability 0.5'),
    ),
  ],
};

const nginxVIP = '10.254.198.92';
const nginx: Chapter = {
  title: 'B. Three nginx replicas, a third of the connections each',
  steps: [
    apply('Three replicas', 'nginx'),
    apply('Their Service', 'nginx-service'),
    rolledOut('deployment/nginx'),
    served(
      'From outside, through the NodePort',
      outside((scene) => manyRequests(`${node(scene, 0).ipv4}:32110`, 300)),
      evenSpread(3),
    ),
    served('From the node, through the cluster IP', onNode(manyRequests(nginxVIP, 300)), evenSpread(3)),
    served('From a pod, through the cluster IP', inClientPod(manyRequests(nginxVIP, 300)), evenSpread(3)),
    served(
      'From outside through IPv6 as well',
      outside((scene) => manyRequests(`[${node(scene, 0).ipv6}]:32111`, 60)),
      evenSpread(3),
    ),
  ],
};

const affinity: Chapter = {
  title: 'C. Session affinity on and off',
  steps: [
    apply('Three pods that answer their host name', 'myapp'),
    rolledOut('deployment/myapp'),
    served('A client is spread over the three', myappRequests, evenSpread(3)),
    step(
      'Affinity on',
      kubectl(['patch', 'service', 'myapp', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}']),
      succeeds,
    ),
    served('The same client always gets the same pod', myappRequests, alwaysTheSame),
    step('Affinity off', kubectl(['patch', 'service', 'myapp', '-p', '{"spec":{"sessionAffinity":"None"}}']), succeeds),
    served('The client is spread again', myappRequests, evenSpread(3)),
  ],
};

const dig = (...query: readonly string[]): Action =>
  inClientPod(['dig', '+short', '+tries=1', '+time=2', '@10.96.0.10', ...query]);
const dns: Chapter = {
  title: 'D. Headless Services and DNS',
  steps: [
    served(
      'No rule on the node names the headless Service',
      onNode(['iptables-save']),
      all(contains('default/myapp cluster IP'), lacks('myapp-headless')),
    ),
    served(
      'DNS, itself a Service on 10.96.0.10, answers with the cluster IP',
      dig('saythx-redis.work.svc.cluster.local'),
      contains('10.103.193.175'),
    ),
    served(
      'DNS answers by TCP as well',
      dig('+tcp', 'saythx-redis.work.svc.cluster.local'),
      contains('10.103.193.175'),
    ),
    served(
      'DNS answers a headless name with the three pods',
      dig('myapp-headless.default.svc.cluster.local'),
      hasLines(3),
    ),
  ],
};

const agentsAndRestarts =
  'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';
const liveChanges: Chapter = {
  title: 'The ProxyConfig changes on live nodes',
  steps: [
    served(
      'What is in force',
      kubectl(['get', 'pxc,nodeproxies']),
      all(contains('proxyconfig.proxyconfig.dev/default'), forEachNode(/^nodeproxy\S+ +default +iptables +Ready/gm)),
    ),
    step(
      'Another masquerade bit',
      kubectl(['patch', 'pxc', 'default', '--type=merge', '-p', '{"spec":{"masquerade":{"bit":15}}}']),
      succeeds,
    ),
    served("The node's mark follows", natLinesWith('mark 0x'), all(contains('0x8000/0x8000'), lacks('0x4000'))),
    served('Packets still arrive', redisCli('get', 'name'), succeeds),
    step(
      'Affinity on',
      kubectl(['patch', 'service', 'myapp', '-p', '{"spec":{"sessionAffinity":"ClientIP"}}']),
      succeeds,
    ),
    served(
      "The node's rules say 10800 seconds, the default of the API server",
      natLinesWith('--rcheck'),
      contains('--rcheck --seconds 10800'),
    ),
    step(
      'Affinity is capped at 120 seconds',
      kubectl([
        'patch',
        'pxc',
        'default',
        '--type=merge',
        '-p',
        '{"spec":{"sessionAffinity":{"timeoutPolicy":"Cap","timeoutSeconds":120}}}',
      ]),
      succeeds,
    ),
    served(
      "The node's rules say 120 seconds",
      natLinesWith('--rcheck'),
      all(contains('--rcheck --seconds 120'), lacks('10800')),
    ),
    served(
      'The ProxyConfig is Ready again',
      kubectl(['wait', '--for=condition=Ready', 'pxc/default', '--timeout=5s']),
      succeeds,
      70 * seconds,
    ),
    served(
      'No agent was restarted',
      kubectl([
        '-n',
        'proxyconfig-system',
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/component=agent',
        '-o',
        agentsAndRestarts,
      ]),
      forEachNode(/^proxyconfig-agent\S+ 0$/gm),
    ),
    step(
      'A contradiction is refused, naming the field',
      kubectl(['apply', '-f', manifest('refused')]),
      refusedNaming('spec.iptables'),
    ),
  ],
};

const outage: Chapter = {
  title: 'Services outlive the control plane',
  steps: [
    step(
      'The operator is stopped',
      kubectl(['-n', 'proxyconfig-system', 'scale', '--replicas=0', 'deployment/proxyconfig-operator']),
      succeeds,
    ),
    step(
      'The API server is stopped',
      deed('(the API server is stopped)', (scene) => scene.cluster.stopApiServer()),
      succeeds,
    ),
    served('From outside, Redis still answers', redisCli('ping'), contains('PONG')),
    served('From the node, nginx still answers from all three', onNode(manyRequests(nginxVIP, 90)), evenSpread(3)),
    step(
      'The API server is started',
      deed('(the API server is started)', (scene) => scene.cluster.startApiServer()),
      succeeds,
    ),
    step(
      'The operator is started',
      kubectl(['-n', 'proxyconfig-system', 'scale', '--replicas=1', 'deployment/proxyconfig-operator']),
      succeeds,
    ),
    step(
      'Redis is scaled back to one',
      kubectl(['-n', 'work', 'scale', '--replicas=1', 'deployment/saythx-redis']),
      succeeds,
    ),
    served(
      'The node resynced: no probability is left',
      onNode(['iptables', '-t', 'nat', '-S', redisChain]),
      all(contains('KUBE-SEP-'), lacks('--probability')),
      60 * seconds,
    ),
    served(
      'Every node is still Ready',
      kubectl(['wait', '--for=condition=Ready', 'pxc/default', '--timeout=5s']),
      succeeds,
      70 * seconds,
    ),
  ],
};

/** Scenarios of Services; they are also walked without agents, where whatever needs packets or rules must fail. */
export const serviceChapters: readonly Chapter[] = [preparation, redis, nginx, affinity, dns];

export const chapters: readonly Chapter[] = [...serviceChapters, liveChanges, outage];
