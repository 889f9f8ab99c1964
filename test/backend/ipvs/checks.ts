/**
 * What ipvs mode does to a kernel that has ip_vs, check by check. They run inside the kernel under test (inKernel.ts),
 * each on a node of its own.
 */
import { driftChecks } from './checks/drift.ts';
import { externalChecks } from './checks/external.ts';
import type { Check } from './checks/node.ts';
import { packetChecks } from './checks/packets.ts';
import { preflightChecks } from './checks/preflight.ts';
import { refusalChecks } from './checks/refusals.ts';
import { syncChecks } from './checks/sync.ts';

export const checks: readonly Check[] = [
  ...preflightChecks,
  ...syncChecks,
  ...driftChecks,
  ...refusalChecks,
  ...packetChecks,
  ...externalChecks,
];
