/**
 * Everything by which an agent touches its node's kernel, in one place, so that a test can give it another.
 */
import { createBackend, refusalOf } from '../backend/registry.ts';
import { type Conntrack, conntrack } from '../system/conntrack.ts';
import { sysctls, type Sysctls } from '../system/sysctl.ts';
import type { MakeBackend } from './modeReplacement.ts';
import { startFlushMonitor, type StartFlushMonitor } from './flushMonitor.ts';

export interface KernelAccess {
  readonly makeBackend: MakeBackend;
  readonly conntrack: Conntrack;
  readonly sysctls: Sysctls;
  readonly startFlushMonitor: StartFlushMonitor;
}

export function kernelAccess(): KernelAccess {
  return {
    makeBackend: (mode, family) => refusalOf(mode) ?? createBackend(mode, family),
    conntrack: conntrack(),
    sysctls: sysctls(),
    startFlushMonitor: startFlushMonitor,
  };
}
