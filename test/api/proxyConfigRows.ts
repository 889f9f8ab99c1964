/**
 * @module What a ProxyConfig may say: every rule, pattern, enumeration and bound of the CRD by example.
 */
import { conditionRows } from './conditionRows.ts';
import { atMost, distinct, many, oneOf, range, required, time, type Row } from './admissionRow.ts';

const expression = 'spec.nodeSelector.matchExpressions[0]';
const exists = { [`${expression}.key`]: 'pool', [`${expression}.operator`]: 'Exists' };
const isIn = { ...exists, [`${expression}.operator`]: 'In' };
const clusterCIDR = { 'spec.localTraffic.detect': 'ClusterCIDR' };
const bridge = { 'spec.localTraffic.detect': 'BridgeInterface' };
const ipvs = { 'spec.mode': 'ipvs' };
const userspace = { 'spec.mode': 'userspace' };
const cidr = (index: number): string => `10.0.${index}.0/24`;
/** 44 characters, which is longer than any canonical CIDR. */
const longCIDR = '1111:2222:3333:4444:5555:6666:7777:8888/0128';
const notCanonical = [
  ['10.0.0.1/8'],
  ['10.0.0.0'],
  ['010.0.0.0/8'],
  ['FD00::/8'],
  ['::ffff:10.0.0.0/104'],
  ['::ffff:a00:0/104'],
  ['example.com/8'],
  [longCIDR],
];
const percentages = { accepted: [1, 5000, '1%', '100%'], refused: [0, -1, '0%', '101%', '5', '1000%'] };

const spec: Row[] = [
  { field: 'spec', accepted: [{ mode: 'iptables' }], refused: [undefined] },
  { field: 'spec.mode', accepted: ['iptables', 'ipvs', 'nftables', 'userspace'], refused: [undefined, '', 'IPTables'] },
  { field: 'spec.iptables', accepted: [{}, { backend: 'Nft' }], refused: [] },
  { field: 'spec.iptables', given: ipvs, accepted: [undefined], refused: [{}, { backend: 'Nft' }] },
  { field: 'spec.ipvs', given: ipvs, accepted: [{}], refused: [] },
  { field: 'spec.ipvs', accepted: [undefined], refused: [{}] },
  { field: 'spec.nftables', given: { 'spec.mode': 'nftables' }, accepted: [{}], refused: [] },
  { field: 'spec.nftables', accepted: [undefined], refused: [{}] },
  { field: 'spec.userspace', given: userspace, accepted: [{}], refused: [] },
  { field: 'spec.userspace', accepted: [undefined], refused: [{}] },
  range('spec.priority', 0, 1000),
  { field: 'spec.paused', accepted: [true, false], refused: ['true'] },
  { field: 'spec.unheardOf', accepted: [undefined], refused: [1] },
  range('spec.masquerade.bit', 0, 31),
  { field: 'spec.masquerade.all', accepted: [true, false], refused: [1] },
  oneOf('spec.sessionAffinity.timeoutPolicy', ['ReplaceDefault', 'Cap', 'Override'], {
    'spec.sessionAffinity.timeoutSeconds': 60,
  }),
  { field: 'spec.sessionAffinity.timeoutPolicy', accepted: ['Service'], refused: ['None'] },
  range('spec.sessionAffinity.timeoutSeconds', 1, 86_400, { 'spec.sessionAffinity.timeoutPolicy': 'Cap' }),
  required('spec.sessionAffinity.timeoutSeconds', 60, { 'spec.sessionAffinity.timeoutPolicy': 'Override' }),
  {
    field: 'spec.sessionAffinity.timeoutSeconds',
    given: { 'spec.sessionAffinity.timeoutPolicy': 'Service' },
    accepted: [undefined],
    refused: [60],
  },
  { field: 'spec.sessionAffinity.timeoutSeconds', accepted: [undefined], refused: [60] },
  range('spec.sync.periodSeconds', 1, 3600),
  range('spec.sync.minPeriodSeconds', 0, 3600, { 'spec.sync.periodSeconds': 3600 }),
  { field: 'spec.sync.minPeriodSeconds', given: { 'spec.sync.periodSeconds': 10 }, accepted: [10], refused: [11] },
  { field: 'spec.sync.minPeriodSeconds', accepted: [30], refused: [31] },
  range('spec.conntrack.maxPerCore', 0, 2_147_483_647),
  range('spec.conntrack.min', 0, 2_147_483_647),
  range('spec.conntrack.tcpEstablishedTimeoutSeconds', 0, 2_147_483),
  range('spec.conntrack.tcpCloseWaitTimeoutSeconds', 0, 2_147_483),
  range('spec.conntrack.udpTimeoutSeconds', 0, 2_147_483),
  range('spec.conntrack.udpStreamTimeoutSeconds', 0, 2_147_483),
  oneOf('spec.migration.strategy', ['PreserveConnections', 'Replace']),
  range('spec.migration.drainTimeoutSeconds', 0, 86_400),
  oneOf('spec.drift.policy', ['Enforce', 'Report']),
  range('spec.drift.checkPeriodSeconds', 10, 86_400),
  range('spec.revisionHistoryLimit', 1, 50),
  atMost('metadata.name', 63),
];

const nodeSelector: Row[] = [
  { field: 'spec.nodeSelector', accepted: [undefined, {}], refused: ['pool=edge'] },
  {
    field: 'spec.nodeSelector.matchLabels',
    accepted: [{}, { pool: '' }, { 'example.com/pool': 'a'.repeat(63) }, labels(32)],
    refused: [
      labels(33),
      { pool: 'a'.repeat(64) },
      { pool: 'edge!' },
      { 'pool!': 'edge' },
      { 'EXAMPLE.com/pool': 'edge' },
      { 'a/b/c': 'edge' },
    ],
  },
  {
    field: 'spec.nodeSelector.matchExpressions',
    accepted: [many(16, () => ({ key: 'pool', operator: 'Exists' }))],
    refused: [many(17, () => ({ key: 'pool', operator: 'Exists' }))],
  },
  required(`${expression}.key`, 'pool', { [`${expression}.operator`]: 'Exists' }),
  {
    field: `${expression}.key`,
    given: exists,
    accepted: ['pool', `${'a'.repeat(253)}/${'b'.repeat(63)}`],
    refused: ['', 'pool!', '-pool', `${'a'.repeat(253)}/${'b'.repeat(64)}`],
  },
  required(`${expression}.operator`, 'Exists', { [`${expression}.key`]: 'pool' }),
  { field: `${expression}.operator`, given: exists, accepted: ['Exists', 'DoesNotExist'], refused: ['', 'exists'] },
  {
    field: `${expression}.operator`,
    given: { ...exists, [`${expression}.values`]: ['edge'] },
    accepted: ['In', 'NotIn'],
    refused: ['in'],
  },
  {
    field: `${expression}.values`,
    given: isIn,
    accepted: [['edge', ''], many(64, String)],
    refused: [undefined, [], many(65, String), ['edge!'], ['a'.repeat(64)]],
  },
  { field: `${expression}.values`, given: exists, accepted: [undefined, []], refused: [['edge']] },
];

function labels(count: number): Record<string, string> {
  return Object.fromEntries(many(count, (index) => [`label-${index}`, 'value']));
}

const addresses: Row[] = [
  required('spec.localTraffic.detect', 'NodeCIDR', { 'spec.localTraffic': {} }),
  { field: 'spec.localTraffic.detect', accepted: ['NodeCIDR'], refused: ['', 'nodecidr'] },
  {
    field: 'spec.localTraffic.detect',
    given: { 'spec.localTraffic.clusterCIDRs': ['10.244.0.0/16'] },
    accepted: ['ClusterCIDR'],
    refused: ['ClusterCidr'],
  },
  {
    field: 'spec.localTraffic.detect',
    given: { 'spec.localTraffic.interface': 'cni0' },
    accepted: ['BridgeInterface', 'InterfaceNamePrefix'],
    refused: ['Bridge'],
  },
  {
    field: 'spec.localTraffic.clusterCIDRs',
    given: clusterCIDR,
    accepted: [
      ['10.244.0.0/16'],
      ['fd00:10:244::/56'],
      ['10.244.0.0/16', 'fd00:10:244::/56'],
      ['fd00:10:244::/56', '10.244.0.0/16'],
      ['0.0.0.0/0'],
      ['::/0'],
    ],
    refused: [
      undefined,
      [],
      ['10.244.0.0/16', 'fd00::/8', 'fd01::/16'],
      ['10.244.0.0/16', '10.245.0.0/16'],
      ['fd00::/16', 'fd01::/16'],
      ...notCanonical,
    ],
  },
  {
    field: 'spec.localTraffic.clusterCIDRs',
    given: { 'spec.localTraffic.detect': 'NodeCIDR' },
    accepted: [undefined],
    refused: [['10.244.0.0/16']],
  },
  {
    field: 'spec.localTraffic.interface',
    given: bridge,
    accepted: ['cni0', '_', 'a'.repeat(15)],
    refused: [undefined, '', 'a'.repeat(16), '-cni0', 'cni 0', 'cni0/1'],
  },
  {
    field: 'spec.localTraffic.interface',
    given: { 'spec.localTraffic.detect': 'NodeCIDR' },
    accepted: [undefined],
    refused: ['cni0'],
  },
  distinct('spec.nodePorts.addresses', 32, cidr),
  {
    field: 'spec.nodePorts.addresses',
    accepted: [['primary'], ['192.0.2.0/24', '2001:db8::/32'], ['primary', '192.0.2.0/24', 'localhost', 'all']],
    refused: [[], ['Primary'], ['loopback'], ['192.0.2.7'], ['primary', ''], ...notCanonical],
  },
  {
    field: 'spec.nodePorts.addresses',
    names: 'spec.nodePorts.addresses[1]',
    accepted: [],
    refused: [...['primary', 'localhost', 'all'].map((word) => [word, word]), ['primary', 'secondary']],
  },
  distinct('spec.externalIPs.allowedCIDRs', 32, cidr),
  { field: 'spec.externalIPs.allowedCIDRs', accepted: [[], ['198.51.100.7/32']], refused: notCanonical },
];

const modes: Row[] = [
  oneOf('spec.iptables.backend', ['Auto', 'Legacy', 'Nft']),
  {
    field: 'spec.nftables.tableName',
    given: { 'spec.mode': 'nftables' },
    accepted: ['kube-proxy', 'a', 'a'.repeat(31)],
    refused: ['', 'a'.repeat(32), '1table', 'Table', 'a;b'],
  },
  oneOf('spec.ipvs.scheduler', ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'sh', 'dh', 'sed', 'nq', 'mh'], ipvs),
  distinct('spec.ipvs.excludeCIDRs', 64, cidr, ipvs),
  { field: 'spec.ipvs.excludeCIDRs', given: ipvs, accepted: [[]], refused: notCanonical },
  range('spec.ipvs.tcpTimeoutSeconds', 0, 2_147_483, ipvs),
  range('spec.ipvs.tcpFinTimeoutSeconds', 0, 2_147_483, ipvs),
  range('spec.ipvs.udpTimeoutSeconds', 0, 2_147_483, ipvs),
  {
    field: 'spec.userspace.portRange',
    given: userspace,
    accepted: ['1024-65535', '40000-40000'],
    refused: [
      '',
      '40000',
      '40000:41000',
      '1023-2000',
      '41000-40000',
      '60000-65536',
      '040000-41000',
      '123456-7',
      'a-b',
      '10000-20000 ',
    ],
  },
  range('spec.userspace.udpIdleTimeoutSeconds', 1, 86_400, userspace),
];

const step = 'spec.rollout.steps[0]';
const services = 'spec.rollout.probe.services';
const service = {
  [`${services}[0].namespace`]: 'default',
  [`${services}[0].name`]: 'kubernetes',
  [`${services}[0].port`]: 443,
};
const rollout: Row[] = [
  { field: 'spec.rollout.maxUnavailable', ...percentages },
  { field: 'spec.rollout.maxFailures', ...percentages },
  { field: 'spec.rollout.maxUnavailable', accepted: [undefined], refused: [true, 1.5] },
  range('spec.rollout.minReadySeconds', 0, 3600),
  range('spec.rollout.progressDeadlineSeconds', 30, 86_400),
  oneOf('spec.rollout.onFailure', ['Rollback', 'Pause', 'Continue']),
  {
    field: 'spec.rollout.steps',
    accepted: [many(10, () => ({ setNodes: 1 }))],
    refused: [many(11, () => ({ setNodes: 1 }))],
  },
  { field: step, accepted: [{ setNodes: 1 }, { pause: {} }], refused: [{}, { setNodes: 1, pause: {} }] },
  { field: `${step}.setNodes`, ...percentages },
  range(`${step}.pause.seconds`, 1, 604_800),
  range('spec.rollout.probe.periodSeconds', 1, 300),
  range('spec.rollout.probe.failureThreshold', 1, 100),
  distinct(services, 8, (index) => ({ namespace: 'default', name: 'kubernetes', port: 443 + index })),
  ...Object.entries(service).map(([field, value]) => required(field, value, service)),
  atMost(`${services}[0].namespace`, 63, service),
  atMost(`${services}[0].name`, 63, service),
  range(`${services}[0].port`, 1, 65_535, service),
];

const failure = { 'status.failures[0]': { node: 'node-1', reason: 'ModeNotSupported' } };

const status: Row[] = [
  { field: 'status.observedGeneration', accepted: [-1, 7], refused: ['7'] },
  atMost('status.observedHash', 64),
  ...conditionRows({ count: 32, type: 316, reason: 1024, message: 1024 }),
  { field: 'status.modes', accepted: [modeCounts(8)], refused: [modeCounts(9)] },
  atMost('status.rollout.revision', 64),
  atMost('status.rollout.previousRevision', 64),
  oneOf('status.rollout.state', ['Idle', 'Progressing', 'Paused', 'RollingBack', 'RolledBack', 'Complete', 'Failed']),
  atMost('status.rollout.step', 16),
  time('status.rollout.stepStartedAt'),
  time('status.rollout.startedAt'),
  time('status.rollout.completedAt'),
  time('status.rollout.lastProgressAt'),
  distinct('status.failures', 10, (index) => ({ node: `node-${index}`, reason: 'ModeNotSupported' })),
  required('status.failures[0].node', 'node-1', failure),
  required('status.failures[0].reason', 'ModeNotSupported', failure),
  atMost('status.failures[0].node', 253, failure),
  atMost('status.failures[0].reason', 64, failure),
  atMost('status.failures[0].message', 256, failure),
  time('status.failures[0].since', failure),
];

function modeCounts(count: number): Record<string, number> {
  return Object.fromEntries(many(count, (index) => [`mode${index}`, index]));
}

export const proxyConfigRows: readonly Row[] = [
  ...spec,
  ...nodeSelector,
  ...addresses,
  ...modes,
  ...rollout,
  ...status,
];
