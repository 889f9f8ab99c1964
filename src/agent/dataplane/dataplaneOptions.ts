/**
 * What a dataplane is made of, and who is told of it.
 */
import type { Logger } from '../../observability/logger.ts';
import type { Store } from '../watch/store.ts';
import type { MakeBackend } from './leftovers.ts';
import type { OtherProxies, RemovalTiming } from './leftoversRemoval.ts';
import type { SyncListener } from './syncListener.ts';

export interface DataplaneOptions {
  readonly store: Store;
  readonly makeBackend: MakeBackend;
  readonly otherProxies: OtherProxies;
  /** Called in this order, after `inForce` was brought up to date. */
  readonly listeners: readonly SyncListener[];
  readonly logger: Logger;
  /**
   * `accept` is to be called again with the configuration desired: the Node got an address of a family that is not
   * served yet, or the first Service of one, or the probe of a new mode failed.
   */
  readonly onRequeue: () => void;
  /**
   * Another configuration is in force, or the one in force is no longer on probation (`isProbing`). Never called with
   * one that is being given up.
   */
  readonly onInForceChange?: () => void;
  /** `status` changed without a sync. */
  readonly onStatusChange?: () => void;
  /** For tests. */
  readonly timing?: Partial<RemovalTiming>;
}
