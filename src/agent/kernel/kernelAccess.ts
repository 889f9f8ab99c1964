/**
 * Everything by which an agent reaches its node's kernel, in one place, so that a test can replace it.
 */
import { createBackend, flushNames, refusalOf } from '../../backend/registry.ts';
import { type Conntrack, conntrack } from '../../netfilter/conntrack/tools/conntrack.ts';
import { type ListeningSocket, readListeningSockets } from '../../system/listeningSockets.ts';
import { sysctls, type Sysctls } from '../../system/sysctl.ts';
import type { MakeBackend } from '../dataplane/leftovers.ts';
import { startFlushMonitor, type StartFlushMonitor } from './flushMonitor.ts';
import type { OtherProxies } from '../dataplane/leftoversRemoval.ts';
import { readNodeAddresses, type ReadNodeAddresses } from './nodeAddresses.ts';
import { otherProxies } from './otherProxies.ts';

export interface KernelAccess {
  readonly makeBackend: MakeBackend;
  readonly conntrack: Conntrack;
  readonly sysctls: Sysctls;
  readonly startFlushMonitor: StartFlushMonitor;
  readonly readNodeAddresses: ReadNodeAddresses;
  readonly otherProxies: OtherProxies;
  readonly readListeningSockets: () => Promise<readonly ListeningSocket[]>;
}

/** The real one. */
export function kernelAccess(): KernelAccess {
  return {
    makeBackend: (mode, family) => refusalOf(mode) ?? createBackend(mode, family),
    conntrack: conntrack(),
    sysctls: sysctls(),
    startFlushMonitor: (options) => startFlushMonitor(flushNames, options),
    readNodeAddresses,
    otherProxies,
    readListeningSockets,
  };
}
