/**
 * Whatever the API server accepts as a configuration must lead to rules that iptables takes, or be refused before a
 * rule is written.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { withDefaults } from '../../../src/api/defaults.ts';
import { nodeConfigOf, type NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { ProxyConfig } from '../../../src/api/generated/proxyConfig.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { ipFamilies } from '../../../src/model/ipFamily.ts';
import { withValues } from '../../api/admissionRow.ts';
import { proxyConfigRows } from '../../api/proxyConfigRows.ts';
import { describeWhere } from '../../support/requirements.ts';
import { createEmptyNode } from '../../support/network.ts';
import { manyServices, signal, state } from './services.ts';

const minimal = { metadata: { name: 'x' }, spec: { mode: 'iptables' } };

/** Every configuration of iptables mode among the accepted examples, once. */
function acceptedConfigs(): readonly { readonly name: string; readonly spec: ProxyConfig['spec'] }[] {
  const all = proxyConfigRows.flatMap(({ field, given, accepted }) =>
    accepted.map((value) => ({
      name: `${field}: ${JSON.stringify(value)}`,
      object: withValues(minimal, { ...given, [field]: value }),
    })),
  );
  return all
    .map(({ name, object }) => ({ name, spec: (withDefaults(object) as ProxyConfig).spec }))
    .filter(({ spec, name }) => spec?.mode === 'iptables' && /spec\.(localTraffic|nodePorts|masquerade)/.test(name));
}

const configs = acceptedConfigs();

describe('IptablesBackend', () => {
  describeWhere(['iptables'], 'what the API server accepts', () => {
    let node: ReturnType<typeof createEmptyNode>;
    beforeAll(() => {
      node = createEmptyNode();
    });
    afterAll(() => node.close());

    describe.each(['Nft', 'Legacy'] as const)('iptables %s', (backend) => {
      test.each(configs)('$name', async ({ spec }) => {
        for (const family of ipFamilies) {
          const refusal = await createBackend('iptables', family, { run: node.runOnNode }).preflight({
            ...nodeConfigOf(spec),
            iptables: { backend },
          });
          expect(refusal).toBeUndefined();
        }
      });
    });

    test('a configuration whose rules iptables refuses is refused, and rules that stand stay even where nobody asks before', async () => {
      const backend = createBackend('iptables', 'ipv4', { run: node.runOnNode });
      const services = manyServices(4);
      await backend.sync({ state: state(services, nft), changed: 'all', signal });
      const saved = (): Promise<string> =>
        node.runOnNode({ file: '/usr/sbin/iptables-nft-save', args: ['-t', 'nat'], timeoutMs: 10_000 });
      const before = withoutComments(await saved());
      for (const refused of refusedConfigs) {
        expect(await backend.preflight(state(services, refused).config)).toMatchObject({
          reason: 'ConfigRefused',
          message: expect.stringContaining('localTraffic'),
        });
        await expect(backend.sync({ state: state(services, refused), changed: 'all', signal })).rejects.toThrow();
        expect(withoutComments(await saved())).toBe(before);
      }
    });
  });
});

const nft = { iptables: { backend: 'Nft' as const } };

/** Admission lets no such name in; another version of the CRD might. */
const refusedConfigs = ['not a name', 'longer-than-15-characters'].map((name) => detecting(name));

function detecting(name: string): Partial<NodeConfig> {
  return { ...nft, localTraffic: { detect: 'BridgeInterface', interface: name } };
}

function withoutComments(saved: string): string {
  return saved.replaceAll(/^#.*\n/gm, '').replaceAll(/\[\d+:\d+\]/g, '');
}
