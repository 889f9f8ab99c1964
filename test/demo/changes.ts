/**
 * The demo's chapters in which something changes or fails while Services are served.
 */
import {
  type Chapter,
  seconds,
  manifest,
  step,
  served,
  redisChain,
  redisCli,
  manyRequests,
  natLinesWith,
  nginxVIP,
} from './actions.ts';
import { all, contains, evenSpread, forEachNode, lacks, refusedNaming, succeeds } from './expectations.ts';
import { deed, kubectl, onNode } from './scene.ts';

const agentsAndRestarts =
  'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\\n"}{end}';
export const liveChanges: Chapter = {
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

export const outage: Chapter = {
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
