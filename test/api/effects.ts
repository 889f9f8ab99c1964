/**
 * @module Where each setting of a ProxyConfig is shown to have its effect: on packets, on the kernel, or on what the
 * operator does.
 */

/** A test file and words of the name of one of its tests, or of its row in a table that the test reads. */
export type Proof = readonly [file: string, words: string];

/** Settings of modes that no agent has yet. */
export type NotYet = { readonly mode: 'nftables' | 'userspace' };

const settings = (words: string): Proof => ['test/scenarios/settingsTable.ts', words];
const selector = (words: string): Proof => ['test/api/resolvePolicy.test.ts', words];
const affinity: Proof = ['test/model/servicePorts.test.ts', '$policy: asked $asked, configured $configured'];
const conntrack = (words: string): Proof => ['test/agent/conntrackSettings.test.ts', words];
const modeChange = (words: string): Proof => ['test/agent/modeChange.test.ts', words];
const rollout = (words: string): Proof => ['test/operator/rolloutTransitions.test.ts', words];
const probe = (words: string): Proof => ['test/agent/probe.test.ts', words];
const idleTimeouts: Proof = ['test/cli/render.test.ts', 'the kernel is told how long to remember idle connections'];

/** By leaf of the schema. */
export const effects: Readonly<Record<string, Proof | NotYet>> = {
  'spec.mode': modeChange('completes the new mode before it removes the old one'),
  'spec.nodeSelector.matchLabels{}': selector('equal label'),
  'spec.nodeSelector.matchExpressions[].key': selector('In, listed'),
  'spec.nodeSelector.matchExpressions[].operator': selector('NotIn, listed'),
  'spec.nodeSelector.matchExpressions[].values[]': selector('In, not listed'),
  'spec.priority': selector('the higher priority, however young'),
  'spec.paused': ['test/operator/rollout.test.ts', 'a change while paused'],
  'spec.masquerade.bit': settings('another masquerade bit'),
  'spec.masquerade.all': settings('everything masqueraded'),
  'spec.sessionAffinity.timeoutPolicy': affinity,
  'spec.sessionAffinity.timeoutSeconds': affinity,
  'spec.sync.periodSeconds': ['test/agent/syncLoop.test.ts', 'at growing distances up to periodSeconds'],
  'spec.sync.minPeriodSeconds': ['test/agent/syncLoop.test.ts', 'later ones together after minPeriodSeconds'],
  'spec.localTraffic.detect': settings("pods known by the node's CIDR"),
  'spec.localTraffic.clusterCIDRs[]': settings('pods known by the cluster CIDR'),
  'spec.localTraffic.interface': settings('pods known by their bridge'),
  'spec.nodePorts.addresses[]': settings('NodePorts on chosen addresses from everywhere'),
  'spec.externalIPs.allowedCIDRs[]': ['test/scenarios/addressTable.ts', 'external IPs from everywhere'],
  'spec.conntrack.maxPerCore': conntrack('many CPUs: so many for each'),
  'spec.conntrack.min': conntrack("kube-proxy's defaults on 2 CPUs: the minimum size"),
  'spec.conntrack.tcpEstablishedTimeoutSeconds': conntrack('all of them'),
  'spec.conntrack.tcpCloseWaitTimeoutSeconds': conntrack('all of them'),
  'spec.conntrack.udpTimeoutSeconds': conntrack('all of them'),
  'spec.conntrack.udpStreamTimeoutSeconds': conntrack('all of them'),
  'spec.conntrack.tcpBeLiberal': conntrack('all of them'),
  'spec.iptables.backend': [
    'test/backend/iptables/kernel.test.ts',
    'the configuration moves the rules to the other variant',
  ],
  'spec.nftables.tableName': { mode: 'nftables' },
  'spec.ipvs.scheduler': ['test/backend/ipvs/desiredState.test.ts', 'another scheduler is changed'],
  'spec.ipvs.strictARP': ['test/backend/ipvs/checks/sync.ts', 'and strictARP as asked'],
  'spec.ipvs.excludeCIDRs[]': ['test/backend/ipvs/desiredState.test.ts', 'those in excludeCIDRs stay'],
  'spec.ipvs.tcpTimeoutSeconds': idleTimeouts,
  'spec.ipvs.tcpFinTimeoutSeconds': idleTimeouts,
  'spec.ipvs.udpTimeoutSeconds': idleTimeouts,
  'spec.userspace.portRange': { mode: 'userspace' },
  'spec.userspace.udpIdleTimeoutSeconds': { mode: 'userspace' },
  'spec.migration.strategy': modeChange('removes the old mode first with strategy Replace'),
  'spec.migration.drainTimeoutSeconds': modeChange('cuts them when their time is over'),
  'spec.drift.policy': [
    'test/faults/agent.test.ts',
    'reports drift and changes nothing with drift.policy Report, and repairs with Enforce',
  ],
  'spec.drift.checkPeriodSeconds': ['test/faults/tools.test.ts', 'repairs a flushed table by the periodic check'],
  'spec.rollout.maxUnavailable': rollout('as many at a time as may be unavailable'),
  'spec.rollout.minReadySeconds': rollout('the next one only after minReadySeconds'),
  'spec.rollout.progressDeadlineSeconds': rollout('a canary that hangs does, too, once the deadline is over'),
  'spec.rollout.onFailure': rollout('onFailure Pause stops where it is'),
  'spec.rollout.maxFailures': rollout('fewer failures than maxFailures are passed over'),
  'spec.rollout.steps[].setNodes': rollout('a step of one node, then a pause that a person ends'),
  'spec.rollout.steps[].pause.seconds': rollout('a pause that ends by itself'),
  'spec.rollout.probe.enabled': ['test/operator/nodeWrite.test.ts', 'a node is assigned what to probe'],
  'spec.rollout.probe.periodSeconds': probe('fails after failureThreshold attempts in a row'),
  'spec.rollout.probe.failureThreshold': probe('fails after failureThreshold attempts in a row'),
  'spec.rollout.probe.services[].namespace': probe('a Service that does not exist'),
  'spec.rollout.probe.services[].name': probe('a Service that does not exist'),
  'spec.rollout.probe.services[].port': probe('a port that the Service does not have'),
  'spec.revisionHistoryLimit': [
    'test/operator/revisions.test.ts',
    'the history keeps what is in use and as many others as asked for',
  ],
};
