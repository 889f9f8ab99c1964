/**
 * A Service of so many endpoints that its rules are compact: packets through it, and what a full sync finds of it.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { rulesOfSize } from '../../../src/backend/engine/serviceRules/plan.ts';
import { planState } from '../../../src/backend/iptables/plan/plan.ts';
import { atOnce } from '../../../src/backend/engine/turns.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import { bigKey, stateWithBig } from '../../support/bigService.ts';
import { createEmptyNode, createNetwork, gateways, type Network } from '../../support/network.ts';
import { describeWhere } from '../../support/requirements.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { manyServices, signal, state } from './services.ts';

const address = '10.97.0.1';
const ports = 2600;

const question = (port: number) => ({ protocol: 'TCP', address, port, timeoutMs: 3000 }) as const;

/** Of two endpoints, so more than 5,000 with all ports. */
function serviceWith(spec: object): ServiceManifest {
  return {
    name: 'big',
    clusterIP: { ipv4: address, ipv6: 'fd00:10:97::1' },
    ports: Array.from({ length: ports }, (_, index) => ({ name: `p${index}`, port: 1000 + index })),
    pods: ['podA', 'podB'],
    spec: { ...spec },
  };
}

describe.each([
  { name: 'without affinity', size: { ports: 120, endpoints: 50 }, perEndpoint: 1 },
  { name: 'with affinity', size: { ports: 60, endpoints: 100, affinity: true }, perEndpoint: 2 },
])('compact rules $name', ({ size, perEndpoint }) => {
  const desired = stateWithBig(size, state([]));
  const chains = atOnce(planState(desired).rulesOf(bigKey)).flatMap((port) => port.chains);

  test('are one chain a port, and one for its last endpoint', () => {
    expect(chains).toHaveLength(2 * size.ports);
    const rules = chains.reduce((sum, chain) => sum + chain.rules.length, 0);
    // The chain of an endpoint has two rules; the first rule of a balancer marks who is no pod.
    expect(rules).toBe(size.ports * (perEndpoint * size.endpoints + 1 + 2));
    expect(rulesOfSize(desired.size(bigKey))).toBeGreaterThanOrEqual(size.ports * perEndpoint * size.endpoints);
  });
});

describeWhere(['root', 'iptables'], 'compact rules on the real kernel', () => {
  let node: ReturnType<typeof createEmptyNode>;
  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(() => node.close());

  test.each([
    { variant: 'Nft', size: { ports: 120, endpoints: 50 } },
    { variant: 'Nft', size: { ports: 60, endpoints: 100, affinity: true } },
    { variant: 'Legacy', size: { ports: 120, endpoints: 50 } },
  ] as const)('$variant, $size: a change leaves what a full sync wants', async ({ variant, size }) => {
    const config = { iptables: { backend: variant } } as const;
    const backend = createBackend('iptables', 'ipv4', { run: node.runOnNode });
    const others = state(manyServices(3), config);
    const before = stateWithBig({ ...size, endpoints: size.endpoints + 1 }, others);
    await backend.sync({ state: others, changed: 'all', signal });
    for (const to of [before, stateWithBig(size, others)]) {
      let unfinished: readonly string[] = [bigKey];
      while (unfinished.length > 0)
        unfinished = (await backend.sync({ state: to, changed: new Set(unfinished), signal })).unfinished ?? [];
    }
    expect(await backend.findDrift(signal)).toBeUndefined();
    const again = createBackend('iptables', 'ipv4', { run: node.runOnNode });
    const { rulesWritten } = await again.sync({ state: stateWithBig(size, others), changed: 'all', signal });
    // With so many endpoints the three others lose the comments of theirs.
    expect(rulesWritten).toEqual({ filter: 0, nat: 3 * (3 * 2 + 4), mangle: 0 });
  });
});

describeWhere(['root', 'iptables'], 'packets through compact rules', () => {
  let network: Network;
  beforeAll(async () => {
    network = await createNetwork();
  }, 180_000);
  afterAll(() => network?.close());

  async function serve(spec: object): Promise<ServiceState> {
    const desired = state([serviceWith(spec)]);
    await createBackend('iptables', 'ipv4', { run: network.runOnNode }).sync({
      state: desired,
      changed: 'all',
      signal,
    });
    return desired;
  }

  test('reach every endpoint at every port; an endpoint reaches the others, and the last one itself', async () => {
    await serve({});
    for (const port of [1000, 1000 + ports - 1]) {
      const fromClient = await network.count('podC', question(port), 200);
      expect(Object.keys(fromClient).sort()).toEqual(['podA', 'podB']);
      expect(fromClient['podA']).toBeGreaterThan(60);
      expect(fromClient['podB']).toBeGreaterThan(60);
    }
    expect(await network.count('podA', question(1000), 50)).toEqual({ podB: 50 });
    const fromLast = await network.count('podB', question(1000), 50);
    expect(fromLast['podA']).toBeGreaterThan(5);
    expect(fromLast['podB']).toBeGreaterThan(5);
    const sources = new Set<string>();
    for (let index = 0; index < 20; index += 1) {
      const answer = await network.ask('podB', question(1000));
      if (typeof answer === 'object' && 'by' in answer && answer.by === 'podB') sources.add(answer.seenFrom);
    }
    expect([...sources]).toEqual([gateways.podB.ipv4]);
  });

  test('keep to the endpoint that a client met first, where the Service has affinity', async () => {
    await serve({ sessionAffinity: 'ClientIP' });
    for (const port of [1000, 1001, 1002, 1003])
      expect(Object.values(await network.count('podC', question(port), 20))).toEqual([20]);
  });
});
