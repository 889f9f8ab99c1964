/**
 * Has a listener see a sync without a kernel: what it chose, and that it succeeded or failed.
 */
import type { ObservedLoop, SyncListener } from '../../src/agent/dataplane/syncListener.ts';
import { statusBeforeFirstRun } from '../../src/agent/dataplane/syncStatus.ts';
import type { QuarantinedService } from '../../src/backend/backend.ts';
import { SyncError } from '../../src/netfilter/errors.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { ServiceKey } from '../../src/model/service.ts';
import type { ServiceState } from '../../src/model/serviceState.ts';

export interface SyncSeen {
  readonly full?: boolean;
  readonly quarantined?: readonly QuarantinedService[];
  readonly hasFailed?: boolean;
}

/** `keys`: those that the sync plans; all of the state for a full one. */
export function syncWith(
  listener: SyncListener,
  state: ServiceState,
  keys: Iterable<ServiceKey> = state.keys(),
  { full = false, quarantined = [], hasFailed = false }: SyncSeen = {},
): void {
  const loop = loopOf(state.family);
  for (const key of keys) listener.onServicePorts?.(loop, key, state.ports(key));
  if (hasFailed)
    listener.onFailure?.(loop, { error: new SyncError('Failed', 'set to fail'), wasFull: full, retryInMs: 0 });
  else
    listener.onSuccess?.(loop, {
      result: {
        full,
        quarantined,
        servicePortsPlanned: 0,
        linesSent: 0,
        commandsRun: 0,
        services: 0,
        endpoints: 0,
        rulesHash: '',
        rulesByTable: {},
      },
      node: state.node,
      config: state.config,
      durationMs: 0,
      triggerTimes: [],
    });
}

function loopOf(family: IPFamily): ObservedLoop {
  return { status: statusBeforeFirstRun(family) };
}
