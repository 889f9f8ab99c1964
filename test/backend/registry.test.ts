/** What modes say of themselves, against what they would load on an empty node. */
import { describe, expect, test } from '@jest/globals';
import { iptablesMode } from '../../src/backend/iptables/iptablesMode.ts';
import { ipvsContext } from '../../src/backend/ipvs/plan/context.ts';
import { planAccessFilter } from '../../src/backend/ipvs/plan/rules.ts';
import { FixedChains } from '../../src/netfilter/xtables/fixedChains.ts';
import { fullTransaction } from '../../src/netfilter/xtables/transaction.ts';
import { ipvsMode } from '../../src/backend/ipvs/ipvsMode.ts';
import { flushNames, ownership, refusalOf, render } from '../../src/backend/registry.ts';
import { type ProxyMode, proxyModes } from '../../src/api/nodeConfig.ts';
import { ipFamilies, type IPFamily } from '../../src/model/ipFamily.ts';
import { ownJumps } from '../../src/netfilter/xtables/compareTables.ts';
import type { TablesView } from '../../src/netfilter/xtables/tables.ts';
import { findIptables } from '../../src/netfilter/xtables/tools/iptables.ts';
import { readTables } from '../../src/netfilter/xtables/tools/readTables.ts';
import { stateOf } from '../support/serviceManifests.ts';
import { FakeKernel } from './iptables/fakeKernel.ts';
import { manyBalanced } from './iptables/services.ts';

const declarations = { iptables: iptablesMode, ipvs: ipvsMode } as const;
const names = ['iptables', 'ipvs'] as const;

async function viewOf(kernel: FakeKernel, family: IPFamily): Promise<TablesView> {
  const iptables = await findIptables(family, 'nft', kernel.host);
  if (iptables === undefined) throw new Error('no iptables');
  return readTables(iptables, ownership);
}

/** A node on which the rules of the mode were loaded; with a tree of dispatch where the mode has one. */
function kernelIn(mode: (typeof names)[number], family: IPFamily): FakeKernel {
  const kernel = new FakeKernel(family);
  const state = stateOf(family, manyBalanced(200), { mode });
  for (const { tool, input } of render(state)) if (tool.endsWith('tables-restore')) kernel.restore(input);
  return kernel;
}

describe('registry', () => {
  const cases = names.flatMap((mode) => ipFamilies.map((family) => ({ mode, family })));

  test.each(cases)('knows every chain and jump of mode $mode as ours, $family', async ({ mode, family }) => {
    const kernel = kernelIn(mode, family);
    const view = await viewOf(kernel, family);
    const own = Object.keys(kernel.state).filter((chain) => chain.includes(' KUBE-'));
    expect(view.chains.size).toBe(own.length);
    expect(ownJumps(view)).toEqual(view.references);
    expect(view.references.length).toBeGreaterThan(5);
    for (const chain of view.chains.values()) expect(declarations[mode].ownership.isOwn(chain)).toBe(true);
  });

  test.each(cases)('sees in the tables that mode $mode serves, and no other, $family', async ({ mode, family }) => {
    const view = await viewOf(kernelIn(mode, family), family);
    expect(names.filter((name) => declarations[name].isServing(view))).toEqual([mode]);
  });

  test.each(ipFamilies)('sees that no mode serves on an empty node, %s', async (family) => {
    const view = await viewOf(new FakeKernel(family), family);
    expect(names.filter((name) => declarations[name].isServing(view))).toEqual([]);
  });

  test.each(ipFamilies)('does not take the access filter of ipvs mode alone for its service, %s', async (family) => {
    const kernel = new FakeKernel(family);
    const chains = new FixedChains(planAccessFilter(ipvsContext(stateOf(family, []), [])));
    const emptyNode = { variant: 'nft', missingJumps: chains.jumps, staleJumps: [], stale: () => [] } as const;
    kernel.restore([...fullTransaction(chains, emptyNode)].join(''));
    const view = await viewOf(kernel, family);
    expect(view.chains.size).toBe(1);
    expect(names.filter((name) => declarations[name].isServing(view))).toEqual([]);
  });

  test.each(cases)('is told of a flush of the rules of mode $mode by its names, $family', async ({ mode, family }) => {
    const chains = new Set([...(await viewOf(kernelIn(mode, family), family)).chains.values()].map(({ name }) => name));
    expect(flushNames.chains.filter((name) => chains.has(name))).not.toEqual([]);
    expect(flushNames.tables).toEqual(expect.arrayContaining(['filter', 'nat', 'mangle']));
  });

  test('says of a mode that is not here which ones are', () => {
    const missing = [...proxyModes, 'constructor' as ProxyMode].filter((mode) => !names.some((name) => name === mode));
    for (const mode of missing)
      expect(refusalOf(mode)).toEqual({
        reason: 'ModeNotAvailable',
        message: `this agent does not have mode ${mode}; set spec.mode to iptables or ipvs`,
      });
  });
});
