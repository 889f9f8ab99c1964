/**
 * @module The demo's story as data: each step a command, what must come back, and how soon.
 *
 * The test of the whole product runs the same steps as assertions (test/e2e).
 */
import { addressIn } from '../cluster/addresses.ts';
import { serviceCIDRVersion } from '../cluster/versionDifferences.ts';
import { liveChanges, outage } from './changes.ts';
import {
  type Chapter,
  seconds,
  step,
  served,
  apply,
  applyOf,
  rolledOut,
  redisChain,
  redisCli,
  manyRequests,
  myappRequests,
  endpointAddresses,
  nginxVIP,
} from './actions.ts';
import { all, alwaysTheSame, contains, evenSpread, hasLines, lacks, succeeds } from './expectations.ts';
import { type Action, inClientPod, kubectl, node, onNode, outside } from './scene.ts';

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

const nginx: Chapter = {
  title: 'B. Three nginx replicas, a third of the connections each',
  steps: [
    applyOf(
      'A second range for cluster IPs',
      ({ cluster }) => `second-range-${serviceCIDRVersion(cluster.kubernetes)}`,
    ),
    apply('Three replicas', 'nginx'),
    apply('Their Service', 'nginx-service'),
    rolledOut('deployment/nginx'),
    served(
      'From outside, through the NodePort',
      outside((scene) => manyRequests(`${node(scene, 0).address}:32110`, 300)),
      evenSpread(3),
    ),
    served('From the node, through the cluster IP', onNode(manyRequests(nginxVIP, 300)), evenSpread(3)),
    served('From a pod, through the cluster IP', inClientPod(manyRequests(nginxVIP, 300)), evenSpread(3)),
    served(
      'From outside through IPv6 as well',
      outside((scene) => manyRequests(`[${addressIn('ipv6', node(scene, 0))}]:32111`, 60)),
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

export const serviceChapters: readonly Chapter[] = [preparation, redis, nginx, affinity, dns];

export const chapters: readonly Chapter[] = [...serviceChapters, liveChanges, outage];
