/**
 * @module What a NodeProxy may say: every enumeration and bound of the CRD by example.
 */
import { atMost, distinct, oneOf, range, required, time, type Row } from './admissionRow.ts';
import { conditionRows } from './conditionRows.ts';

const probe = { 'spec.probe': { periodSeconds: 10, failureThreshold: 3 } };
const services = 'spec.probe.services';
const service = {
  ...probe,
  [`${services}[0].namespace`]: 'default',
  [`${services}[0].name`]: 'kubernetes',
  [`${services}[0].port`]: 443,
};
const quarantined = {
  'status.dataplane.quarantined[0]': { namespace: 'default', name: 'bad', reason: 'InvalidAddress' },
};

const conflict = { namespace: 'default', name: 'web', port: 30_080, protocol: 'TCP' };
const inConflict = { 'status.dataplane.portConflicts[0]': conflict };

export const nodeProxyRows: readonly Row[] = [
  {
    field: 'spec',
    accepted: [{ configRef: { name: 'all', uid: 'u', generation: 1 }, revision: 'r' }],
    refused: [undefined],
  },
  required('spec.configRef', { name: 'all', uid: 'u', generation: 1 }),
  required('spec.configRef.name', 'all'),
  required('spec.configRef.uid', 'u'),
  required('spec.configRef.generation', 1),
  atMost('spec.configRef.name', 63),
  atMost('spec.configRef.uid', 36),
  required('spec.revision', 'r'),
  atMost('spec.revision', 64),
  {
    field: 'spec.config',
    accepted: [undefined, { mode: 'iptables', fieldOfALaterVersion: [1] }],
    refused: ['iptables'],
  },
  required('spec.probe.periodSeconds', 10, probe),
  required('spec.probe.failureThreshold', 3, probe),
  range('spec.probe.periodSeconds', 1, 300, probe),
  range('spec.probe.failureThreshold', 1, 100, probe),
  distinct(services, 8, (index) => ({ namespace: 'default', name: 'kubernetes', port: 443 + index }), probe),
  ...['namespace', 'name'].map((name) => required(`${services}[0].${name}`, 'kubernetes', service)),
  required(`${services}[0].port`, 443, service),
  atMost(`${services}[0].namespace`, 63, service),
  atMost(`${services}[0].name`, 63, service),
  range(`${services}[0].port`, 1, 65_535, service),
  { field: 'status.observedGeneration', accepted: [-1, 7], refused: ['7'] },
  oneOf('status.state', ['Pending', 'Applying', 'Verifying', 'Ready', 'Drifted', 'Degraded', 'RolledBack', 'Paused']),
  atMost('status.mode', 16),
  atMost('status.revision', 64),
  atMost('status.previousRevision', 64),
  atMost('status.agentVersion', 64),
  atMost('status.kernel', 64),
  time('status.lastChangeTime'),
  atMost('status.dataplane.rulesHash', 64),
  time('status.dataplane.lastDriftTime'),
  distinct('status.dataplane.quarantined', 10, (index) => ({
    namespace: 'default',
    name: `bad-${index}`,
    reason: 'InvalidAddress',
  })),
  ...['namespace', 'name', 'reason'].map((name) =>
    required(`status.dataplane.quarantined[0].${name}`, 'a', quarantined),
  ),
  atMost('status.dataplane.quarantined[0].namespace', 63, quarantined),
  atMost('status.dataplane.quarantined[0].name', 63, quarantined),
  atMost('status.dataplane.quarantined[0].reason', 64, quarantined),
  atMost('status.dataplane.quarantined[0].message', 256, quarantined),
  distinct('status.dataplane.portConflicts', 10, (index) => ({ ...conflict, port: 30_080 + index })),
  ...Object.entries(conflict).map(([name, value]) =>
    required(`status.dataplane.portConflicts[0].${name}`, value, inConflict),
  ),
  atMost('status.dataplane.portConflicts[0].namespace', 63, inConflict),
  atMost('status.dataplane.portConflicts[0].name', 63, inConflict),
  range('status.dataplane.portConflicts[0].port', 1, 65_535, inConflict),
  oneOf('status.dataplane.portConflicts[0].protocol', ['TCP', 'UDP', 'SCTP'], inConflict),
  atMost('status.dataplane.lastError', 512),
  ...conditionRows({ count: 32, type: 64, reason: 64, message: 256 }),
];
