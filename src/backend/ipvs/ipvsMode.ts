/**
 * What ipvs mode says of itself.
 */
import type { ModeDeclaration } from '../mode.ts';
import { canary, completedBy, servicesJumps } from '../engine/kubeChains.ts';
import { createIpvsBackend } from './ipvsBackend.ts';
import { defaultNodePortAddresses } from './plan/context.ts';
import { bridge, bridgeJumps, formerJumps, isOwn, isServing, jumps } from './plan/owned.ts';
import { renderIpvs } from './plan/render.ts';

export const ipvsMode: ModeDeclaration = {
  create: createIpvsBackend,
  render: renderIpvs,
  ownership: {
    isOwn,
    jumps: [...jumps, ...servicesJumps, ...formerJumps, ...bridgeJumps],
    kept: new Set([bridge]),
    completedBy,
  },
  isServing,
  flushes: { tables: ['filter', 'nat', 'mangle'], chains: [canary] },
  defaultNodePortAddresses,
};
