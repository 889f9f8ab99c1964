/**
 * How large the blocks of a transaction are: the nft variant takes time by the square of what is in one
 * (netfilter/xtables/transaction.ts), so none may grow with a Service, or with how many change at once.
 */
import { describe, expect, test } from '@jest/globals';
import type { Backend } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { FakeKernel } from './fakeKernel.ts';
import { keysOf, manyServices, signal, state } from './services.ts';

/** More than a block should hold, by one chain at most; the chains of the largest Service here have 4 rules. */
const maxLines = 1600;

/** One Service of many ports: more chains than a block holds. */
const big: ServiceManifest = {
  namespace: 'many',
  name: 'big',
  clusterIP: { ipv4: '10.97.0.1', ipv6: 'fd00:10:97::1' },
  ports: Array.from({ length: 500 }, (_, index) => ({ name: `p${index}`, port: 1000 + index })),
  pods: ['podA', 'podB', 'podC'],
};

/** Number of lines of each block of chains; the rules that lead to them are not counted. */
function blockSizes(inputs: readonly string[]): readonly number[] {
  const blocks = inputs.flatMap((input) => input.split('COMMIT\n'));
  return blocks.map((block) => block.split('\n').filter((line) => /^(:|-A )KUBE-(SVC|SEP|SB)-/.test(line)).length);
}

async function started(): Promise<{ kernel: FakeKernel; backend: Backend }> {
  const kernel = new FakeKernel();
  const backend = createBackend('iptables', 'ipv4', kernel.host);
  await backend.sync({ state: state(manyServices(3)), changed: 'all', signal });
  kernel.inputs.length = 0;
  return { kernel, backend };
}

describe('IptablesBackend in the nft variant cuts into blocks', () => {
  const rows = [
    { name: 'many Services', manifests: manyServices(1000) },
    { name: 'one large Service', manifests: [...manyServices(3), big] },
  ];

  test.each(rows)('a full sync of $name', async ({ manifests }) => {
    const { kernel, backend } = await started();
    await backend.sync({ state: state(manifests), changed: 'all', signal });
    const sizes = blockSizes(kernel.inputs);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(maxLines);
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(2);
  });

  test.each(rows)('a change of $name, which leaves what a full sync does', async ({ manifests }) => {
    const { kernel, backend } = await started();
    const result = await backend.sync({ state: state(manifests), changed: keysOf(manifests), signal });
    expect(result).toMatchObject({ full: false, services: manifests.length });
    const sizes = blockSizes(kernel.inputs);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(maxLines);
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(2);
    const fresh = new FakeKernel();
    // Comments on endpoints are decided by a full sync.
    await createBackend('iptables', 'ipv4', fresh.host).sync({ state: state(manifests), changed: 'all', signal });
    expect(Object.keys(kernel.state).sort()).toEqual(Object.keys(fresh.state).sort());
  });

  test('nothing of a change of one Service, which is one atomic step', async () => {
    const { kernel, backend } = await started();
    const manifests = manyServices(4);
    await backend.sync({ state: state(manifests), changed: keysOf(manifests.slice(3)), signal });
    expect(kernel.inputs.join('').match(/^\*nat$/gm)).toHaveLength(1);
  });
});
