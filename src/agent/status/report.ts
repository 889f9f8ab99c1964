/**
 * Makes the NodeProxy's status from what is in force in the kernel, not from what was asked for. Pure.
 */
import { bounded, shortened } from '../../api/bounded.ts';
import { mergeConditions, toSeconds } from '../../api/conditions.ts';
import { nodeproxySchema } from '../../api/generated/schemas.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { QuarantinedService, Refusal } from '../../backend/backend.ts';
import type { DataplaneStatus } from '../dataplane/dataplaneStatus.ts';
import type { DesiredConfig } from '../config/desiredConfig.ts';
import type { ProbeResult } from '../healthcheck/probe.ts';
import type { PortConflict } from './portConflicts.ts';
import type { SyncStatus } from '../dataplane/syncStatus.ts';

export type NodeProxyStatus = NonNullable<NodeProxy['status']>;

const statusSchema = nodeproxySchema.properties?.['status'] ?? {};
/** Characters of a condition's message, as in the CRD. */
const maxMessage = 256;
/** As many as the CRD takes. */
const maxQuarantined = 10;
const maxPortConflicts = 10;

/** What a status is made from. */
export interface Facts {
  readonly agentVersion: string;
  /** The kernel's release, as `uname -r` gives it. */
  readonly kernel: string;
  /** `metadata.generation` of the NodeProxy that `refusal` and `dataplane` answer. */
  readonly generation: number;
  readonly dataplane: DataplaneStatus;
  /** Why the NodeProxy's configuration is not what runs. */
  readonly refusal: Refusal | undefined;
  /** Services that are not served, or not as their objects say; as `quarantinedServices` returns them. */
  readonly invalidServices: readonly QuarantinedService[];
  /** Sorted. */
  readonly portConflicts?: readonly PortConflict[];
  /** The API server's address where it is that of a Service that this agent itself programs. */
  readonly selfServedAddress: string | undefined;
  /** Further conditions, which do not keep the node from being Ready; messages of at most 256 bytes. */
  readonly conditions?: readonly NodeConditionNow[];
  /** The probe of the configuration in force, while it runs or has failed. */
  readonly probe?: ProbeResult | undefined;
}

/**
 * Failures in a row that leave a node Ready: one is retried after a second. Before the first success none is tolerated.
 */
const maxToleratedFailures = 1;

/** Whether it is known what became of the NodeProxy's configuration: in force, refused, or failed. */
export function isSettled({ dataplane, refusal, probe }: Pick<Facts, 'dataplane' | 'refusal' | 'probe'>): boolean {
  if (refusal !== undefined || failingFamily(dataplane) !== undefined) return true;
  return probe?.kind !== 'trying' && dataplane.inForce !== undefined && dataplane.inForce === dataplane.accepted;
}

/**
 * The status to write. Equal facts give an equal status; `lastChangeTime` is `now` where any other part differs from
 * `before`. All texts are within the bounds of the CRD.
 */
export function nodeProxyStatus(facts: Facts, before: NodeProxyStatus | undefined, now: Date): NodeProxyStatus {
  const { dataplane } = facts;
  const { inForce } = dataplane;
  const ready = readyCondition(facts);
  const conditions = [
    ready,
    ...bootstrapCondition(facts.selfServedAddress),
    ...driftCondition(dataplane),
    ...familiesCondition(dataplane),
    ...(dataplane.conditions ?? []),
    ...(facts.conditions ?? []),
  ];
  const status = bounded<NodeProxyStatus>(
    {
      observedGeneration: facts.generation,
      state: stateOf(dataplane, ready),
      ...inForceFields(inForce, before),
      agentVersion: facts.agentVersion,
      kernel: facts.kernel,
      dataplane: dataplaneFields(dataplane, facts),
      conditions: mergeConditions(before?.conditions, conditions, { observedGeneration: facts.generation, now }),
    },
    statusSchema,
  );
  return {
    ...status,
    lastChangeTime: isSameReport(status, before) ? before?.lastChangeTime : toSeconds(now),
  };
}

/** Whether two statuses are equal but for `lastChangeTime`. */
export function isSameReport(one: NodeProxyStatus, other: NodeProxyStatus | undefined): boolean {
  return JSON.stringify({ ...one, lastChangeTime: '' }) === JSON.stringify({ ...other, lastChangeTime: '' });
}

/** Whether the condition Ready is True. */
export function isReady(status: NodeProxyStatus | undefined): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
}

function failingFamily({ families }: DataplaneStatus): SyncStatus | undefined {
  return families.find(
    ({ error, failures, lastSuccess }) =>
      error !== undefined && (failures > maxToleratedFailures || lastSuccess === undefined),
  );
}

function readyCondition({ dataplane, refusal, probe }: Facts): NodeConditionNow {
  const failed = failingFamily(dataplane);
  if (failed?.error !== undefined) {
    return {
      type: 'Ready',
      status: 'False',
      reason: failed.error.reason,
      message: `${failed.family}: ${failed.error.message}`,
    };
  }
  const { inForce } = dataplane;
  if (refusal !== undefined) {
    const stillInForce =
      inForce === undefined ? '' : `. Still in force: mode ${inForce.config.mode}, revision ${inForce.revision}.`;
    return {
      type: 'Ready',
      status: 'False',
      reason: refusal.reason,
      message: shortened(refusal.message, maxMessage - stillInForce.length) + stillInForce,
    };
  }
  if (inForce === undefined)
    return { type: 'Ready', status: 'False', reason: 'Pending', message: 'Nothing is programmed yet.' };
  if (probe !== undefined && probe.kind !== 'trying')
    return { type: 'Ready', status: 'False', reason: probe.why.reason, message: probe.why.message };
  return { type: 'Ready', status: 'True', reason: 'Synced', message: syncedMessage(dataplane) };
}

function syncedMessage(dataplane: DataplaneStatus): string {
  const leftOut = new Set(
    dataplane.families.flatMap(({ result }) => result?.quarantined?.map(({ service }) => service) ?? []),
  ).size;
  return leftOut === 0
    ? 'The kernel holds the rules of all Services.'
    : `The kernel holds the rules of all Services but ${leftOut} that it refused.`;
}

function bootstrapCondition(address: string | undefined): NodeConditionNow[] {
  if (address === undefined) return [];
  const message = `The agent reaches the API server at the Service address ${address}, which works only once rules stand: this node cannot start cold. Set the API server's own address at install.`;
  return [{ type: 'BootstrapAddress', status: 'False', reason: 'ServiceAddress', message }];
}

function driftCondition({ families }: DataplaneStatus): NodeConditionNow[] {
  const drifted = families.filter(({ drift }) => drift !== undefined).map(({ family }) => family);
  if (drifted.length === 0) return [];
  const message = `Somebody else changed rules of ours (${drifted.join(', ')}); drift.policy Report leaves that alone. Set it to Enforce to have them repaired.`;
  return [{ type: 'Drifted', status: 'True', reason: 'RulesChanged', message }];
}

function familiesCondition({ unserved = [] }: DataplaneStatus): NodeConditionNow[] {
  return unserved.slice(0, 1).map(({ family, why }) => {
    const name = family === 'ipv4' ? 'IPv4' : 'IPv6';
    return {
      type: 'AllFamilies',
      status: 'False',
      reason: why.reason,
      message: `${name} Services are not served on this node, the others are: ${why.message}`,
    };
  });
}

function stateOf(dataplane: DataplaneStatus, ready: NodeConditionNow): NodeProxyStatus['state'] {
  if (ready.status === 'True') return driftCondition(dataplane).length > 0 ? 'Drifted' : 'Ready';
  return ready.reason === 'Pending' || ready.reason === 'Verifying' ? ready.reason : 'Degraded';
}

function inForceFields(
  inForce: DesiredConfig | undefined,
  before: NodeProxyStatus | undefined,
): Pick<NodeProxyStatus, 'mode' | 'revision' | 'previousRevision'> {
  if (inForce === undefined) return {};
  const previous = before?.revision === inForce.revision ? before.previousRevision : before?.revision;
  return {
    mode: inForce.config.mode,
    revision: inForce.revision,
    ...(previous === undefined ? {} : { previousRevision: previous }),
  };
}

/** Sorted, one entry for each Service: a problem of its objects comes before a refusal by the kernel. */
export function quarantinedServices(
  invalid: readonly QuarantinedService[],
  { families }: DataplaneStatus,
): readonly QuarantinedService[] {
  const byService = new Map<string, QuarantinedService>();
  for (const each of [...invalid, ...families.flatMap(({ result }) => result?.quarantined ?? [])]) {
    if (!byService.has(each.service)) byService.set(each.service, each);
  }
  return [...byService.values()].sort((one, other) => (one.service < other.service ? -1 : 1));
}

function dataplaneFields(
  { families }: DataplaneStatus,
  { invalidServices: invalid, portConflicts = [] }: Pick<Facts, 'invalidServices' | 'portConflicts'>,
): NodeProxyStatus['dataplane'] {
  const results = families.flatMap(({ result }) => result ?? []);
  const error = families.find((family) => family.error !== undefined)?.error;
  const lastDriftTime = families
    .flatMap((family) => family.lastDriftTime ?? [])
    .sort((one, other) => other.getTime() - one.getTime())[0];
  return {
    services: Math.max(0, ...results.map(({ services }) => services)),
    endpoints: results.reduce((sum, { endpoints }) => sum + endpoints, 0),
    rulesHash: results.map(({ rulesHash }) => rulesHash.slice(0, 16)).join('-'),
    drifts: families.reduce((sum, { drifts }) => sum + drifts, 0),
    ...(lastDriftTime === undefined ? {} : { lastDriftTime: toSeconds(lastDriftTime) }),
    quarantinedCount: invalid.length,
    ...(invalid.length === 0 ? {} : { quarantined: invalid.slice(0, maxQuarantined).map(quarantined) }),
    ...(portConflicts.length === 0
      ? {}
      : { portConflicts: portConflicts.slice(0, maxPortConflicts).map(portConflict) }),
    ...(error === undefined ? {} : { lastError: `${error.reason}: ${error.message}` }),
  };
}

function portConflict({ service, port, protocol }: PortConflict): {
  namespace: string;
  name: string;
  port: number;
  protocol: PortConflict['protocol'];
} {
  const [namespace = '', name = ''] = service.split('/');
  return { namespace, name, port, protocol };
}

function quarantined({ service, reason, message }: QuarantinedService): {
  namespace: string;
  name: string;
  reason: string;
  message: string;
} {
  const [namespace = '', name = ''] = service.split('/');
  return { namespace, name, reason, message };
}
