/**
 * The packet table on the real kube-proxy: what it does otherwise than this project stands in one file, with a decision
 * as its reason.
 */
import { access } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { findIptables } from '../../src/netfilter/xtables/tools/iptables.ts';
import { describeWhere } from '../support/requirements.ts';
import { describeTable } from './describeTable.ts';
import { KubeProxy } from './kubeProxy.ts';
import { askedFrom, differenceOf, differences, notAsked, scenariosForKubeProxy } from './kubeProxyDifferences.ts';
import { scenarios } from './serviceTable.ts';

/** kube-proxy takes the `iptables` that it finds, and what that writes to is the machine's choice. */
const variant = (await findIptables('ipv4', 'default').catch(() => undefined))?.variant === 'legacy' ? 'Legacy' : 'Nft';

describe('the packet table', () => {
  describe('differences', () => {
    test('each is of a row that there is, expects something else, and has a decision', async () => {
      const rows = scenarios.flatMap((scenario) =>
        scenario.rows.map((row) => ({ row, difference: differenceOf(scenario, row) })),
      );
      expect(
        new Set(rows.map(({ difference }) => difference).filter((difference) => difference !== undefined)),
      ).toEqual(new Set(differences));
      for (const { row, difference } of rows)
        if (difference !== undefined) expect(difference.kubeProxy).not.toEqual(row.expect);
      for (const { decision } of differences) await access(new URL(`../../docs/adr/${decision}`, import.meta.url));
      for (const name of [...Object.keys(notAsked), ...Object.keys(askedFrom)])
        expect(scenarios.map((scenario) => scenario.name)).toContain(name);
    });
  });

  test.each([
    { version: 'v1.33.9', isAsked: false },
    { version: 'v1.34.0', isAsked: true },
  ] as const)('the kube-proxy of $version is asked of hints of nodes: $isAsked', ({ version, isAsked }) => {
    const names = scenariosForKubeProxy(scenarios, version).map(({ name }) => name);
    expect(names.includes('hints of nodes')).toBe(isAsked);
  });

  describeWhere(['root', 'cluster', 'iptables'], 'the real kube-proxy', () => {
    describeTable({
      proxyName: `kube-proxy, iptables ${variant}`,
      scenarios: scenariosForKubeProxy(scenarios),
      start: (network) => KubeProxy.start(network),
    });
  });
});
