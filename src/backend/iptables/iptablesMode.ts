/**
 * What iptables mode says of itself.
 */
import type { ModeDeclaration } from '../mode.ts';
import { canary, completedBy } from '../engine/kubeChains.ts';
import { createIptablesBackend } from './iptablesBackend.ts';
import { isOwn, isServing, jumps } from './plan/owned.ts';
import { defaultNodePortAddresses } from './plan/plan.ts';
import { renderIptables } from './plan/render.ts';

export const iptablesMode: ModeDeclaration = {
  create: createIptablesBackend,
  render: (...states) => states.map(renderIptables),
  ownership: { isOwn, jumps, kept: new Set(), completedBy },
  isServing,
  flushes: { tables: ['filter', 'nat', 'mangle'], chains: [canary] },
  defaultNodePortAddresses,
};
