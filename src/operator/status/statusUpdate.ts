/**
 * From the status that a ProxyConfig should have to what is to be written for it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ProxyConfigStatus } from '../../api/nodeConfig.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { statusEvents, type StatusEvent } from '../events/rolloutEvents.ts';

/** The status that a ProxyConfig should have. */
export interface StatusUpdate {
  readonly config: ProxyConfig;
  readonly status: ProxyConfigStatus;
  /** False when the API server has this status already. */
  readonly changed: boolean;
  /** To be recorded once the status is written. */
  readonly events: readonly StatusEvent[];
}

/** What is to be written so that the ProxyConfig, as the API server has it, gets this status. */
export function statusUpdate(config: ProxyConfig, status: ProxyConfigStatus): StatusUpdate {
  return {
    config,
    status,
    changed: !isDeepStrictEqual(status, config.status),
    events: statusEvents(config.status, status),
  };
}
