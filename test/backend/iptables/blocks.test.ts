/**
 * How large the blocks of a transaction are: the nft variant takes time by the square of what is in one
 * (netfilter/xtables/transaction.ts), so none may grow with a Service, or with how many change at once.
 */
import { describe, expect, test } from '@jest/globals';
import type { Backend, SyncResult } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import { type BigServiceSize, bigAddress, bigKey, stateWithBig } from '../../support/bigService.ts';
import type { PodName } from '../../support/network.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { FakeKernel } from './fakeKernel.ts';
import { keysOf, manyServices, plainService, signal, state } from './services.ts';

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

/** Services each of which may need more than a block, though a change of the first port does not. */
function larges(firstPort: number): readonly ServiceManifest[] {
  return Array.from({ length: 10 }, (_, index) => ({
    ...big,
    name: `big-${index}`,
    clusterIP: { ipv4: `10.97.0.${index}`, ipv6: `fd00:10:97::${index}` },
    ports: [{ name: 'first', port: firstPort }, ...(big.ports ?? []).slice(0, 130)],
  }));
}

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

/** Syncs until no Service is written in part. */
async function untilWritten(backend: Backend, to: ServiceState, keys: ReadonlySet<string>): Promise<SyncResult> {
  const result = await backend.sync({ state: to, changed: keys, signal });
  const { unfinished = [] } = result;
  return unfinished.length === 0 ? result : untilWritten(backend, to, new Set(unfinished));
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
    const result = await untilWritten(backend, state(manifests), keysOf(manifests));
    expect(result).toMatchObject({ full: false, services: manifests.length });
    const sizes = blockSizes(kernel.inputs);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(maxLines);
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(2);
    const fresh = new FakeKernel();
    // Comments on endpoints are decided by a full sync.
    await createBackend('iptables', 'ipv4', fresh.host).sync({ state: state(manifests), changed: 'all', signal });
    expect(Object.keys(kernel.state).sort()).toEqual(Object.keys(fresh.state).sort());
  });

  test('nothing of small changes of many large Services, which are one sync together', async () => {
    const { kernel, backend } = await started();
    await backend.sync({ state: state(larges(80)), changed: 'all', signal });
    kernel.inputs.length = 0;
    const result = await backend.sync({ state: state(larges(81)), changed: keysOf(larges(81)), signal });
    expect(result).toMatchObject({ full: false, commandsRun: 1, unfinished: [] });
    const fresh = await started();
    await fresh.backend.sync({ state: state(larges(81)), changed: 'all', signal });
    expect(kernel.state).toEqual(fresh.kernel.state);
  });

  test('nothing of a change of one Service, which is one atomic step', async () => {
    const { kernel, backend } = await started();
    const manifests = manyServices(4);
    await backend.sync({ state: state(manifests), changed: keysOf(manifests.slice(3)), signal });
    expect(kernel.inputs.join('').match(/^\*nat$/gm)).toHaveLength(1);
  });
});

const neighbor = (pod: PodName): ServiceManifest => plainService(2, [pod]);

async function expectAsFresh({ kernel }: Awaited<ReturnType<typeof started>>, desired: ServiceState): Promise<void> {
  const fresh = new FakeKernel();
  const backend = createBackend('iptables', 'ipv4', fresh.host);
  // Comments on endpoints are decided by a full sync, which is of few of them here as there.
  await backend.sync({ state: state(manyServices(3)), changed: 'all', signal });
  await untilWritten(backend, desired, new Set(desired.keys()));
  expect(kernel.state).toEqual(fresh.state);
}

describe('IptablesBackend in the nft variant, beside a Service of 200 ports and 50 endpoints', () => {
  const size = { ports: 200, endpoints: 50 };
  const others = (round: number): readonly ServiceManifest[] => [
    ...manyServices(2),
    neighbor(round % 2 === 0 ? 'podA' : 'podB'),
  ];
  const [neighborKey = ''] = keysOf([neighbor('podA')]);

  /** Each sync that a change of the big Service takes, with a change of the neighbor in each. */
  async function syncsOfChange(
    { kernel, backend }: Awaited<ReturnType<typeof started>>,
    of: BigServiceSize,
  ): Promise<readonly { readonly input: string; readonly result: SyncResult }[]> {
    const syncs = [];
    for (let unfinished: readonly string[] = [bigKey]; unfinished.length > 0;) {
      kernel.inputs.length = 0;
      const to = stateWithBig(of, state(others(syncs.length)));
      const result = await backend.sync({ state: to, changed: new Set([...unfinished, neighborKey]), signal });
      syncs.push({ input: kernel.inputs.join(''), result });
      unfinished = result.unfinished ?? [];
    }
    return syncs;
  }

  test('writes a block of it at a time, the way to it last, and a neighbor that changes each time', async () => {
    const node = await started();
    const syncs = await syncsOfChange(node, size);
    const way = new RegExp(`^-[AI] KUBE-(SERVICES|SB-\\S+) .*-d ${bigAddress}/32 `, 'm');
    const leadsToIt = (input: string): boolean => way.test(input);
    // A port makes a balancer of 50 rules, and a chain of two rules for its last endpoint.
    expect(syncs).toHaveLength(Math.ceil((size.ports * (51 + 3)) / 1500));
    for (const { input, result } of syncs) {
      expect(result).toMatchObject({ full: false, commandsRun: 1 });
      expect(Math.max(...blockSizes([input]))).toBeLessThanOrEqual(maxLines);
      expect(input.split('COMMIT')[0]?.includes('many/svc-00002')).toBe(true);
    }
    expect(syncs.map(({ input }) => leadsToIt(input))).toEqual(syncs.map((_each, index) => index === syncs.length - 1));
    expect(syncs.map(({ result }) => result.services)).toEqual(
      syncs.map((_each, index) => (index === syncs.length - 1 ? 4 : 3)),
    );
    await expectAsFresh(node, stateWithBig(size, state(others(syncs.length - 1))));
  });

  test('takes an endpoint away from each of its ports, block by block', async () => {
    const node = await started();
    await syncsOfChange(node, size);
    const syncs = await syncsOfChange(node, { ...size, endpoints: 49 });
    expect(syncs.length).toBeGreaterThan(5);
    await expectAsFresh(node, stateWithBig({ ...size, endpoints: 49 }, state(others(syncs.length - 1))));
  });

  test('takes it away in one sync, in blocks', async () => {
    const node = await started();
    await syncsOfChange(node, { ports: 500, endpoints: 20 });
    node.kernel.inputs.length = 0;
    const result = await node.backend.sync({ state: state(others(0)), changed: new Set([bigKey]), signal });
    expect(result.unfinished).toEqual([]);
    const blocks = node.kernel.inputs.join('').split('COMMIT\n');
    expect(Math.max(...blocks.map((each) => each.split('\n').length))).toBeLessThanOrEqual(maxLines);
    await expectAsFresh(node, state(others(0)));
  });

  test('forgets what is written in part where a sync fails, and writes everything in the next', async () => {
    const { kernel, backend } = await started();
    const to = stateWithBig(size, state(manyServices(3)));
    expect(await backend.sync({ state: to, changed: new Set([bigKey]), signal })).toMatchObject({
      unfinished: [bigKey],
    });
    const full = await backend.sync({ state: to, changed: 'all', signal });
    expect(full).toMatchObject({ full: true, services: 4, unfinished: [] });
    const fresh = new FakeKernel();
    await createBackend('iptables', 'ipv4', fresh.host).sync({ state: to, changed: 'all', signal });
    expect(kernel.state).toEqual(fresh.state);
  });
});
