/**
 * A client that keeps its UDP socket, as a resolver does, while the Service behind it changes: real packets, real rules, real conntrack.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { UdpCleaner } from '../../src/agent/udpCleaner.ts';
import { createIptablesBackend } from '../../src/backend/iptables/apply.ts';
import type { Backend } from '../../src/backend/backend.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import type { EndpointSliceRecord } from '../../src/model/endpointSlice.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { conntrack } from '../../src/system/conntrack.ts';
import { until } from '../kube/until.ts';
import { addresses, type Answer, createNetwork, iptablesObstacle, type Network } from '../scenarios/network.ts';
import { clusterIP, type ServiceManifest, sliceObjects, stateOf } from '../scenarios/objects.ts';

const ip = clusterIP(10);
const nodePort = 30_053;
const dns = (...pods: NonNullable<ServiceManifest['pods']>): ServiceManifest => ({ name: 'dns', clusterIP: ip, ports: [{ name: 'dns', port: 53, protocol: 'UDP', nodePort }], spec: { type: 'NodePort' }, pods });
const silent = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined };
const obstacle = await iptablesObstacle('nft');

const suite = obstacle === undefined ? describe.each(['ipv4', 'ipv6'] as const) : describe.skip.each(['ipv4', 'ipv6'] as const);
// The rows follow on one another: they are one socket's life.
suite(`a UDP socket that stays open, %s ${obstacle ?? ''}`, (family: IPFamily) => {
  let network: Network;
  let backend: Backend;
  let cleaner: UdpCleaner;
  let slices: readonly EndpointSliceRecord[] = [];
  const metrics = createAgentMetrics();
  beforeAll(async () => {
    network = await createNetwork();
    backend = createIptablesBackend(family, { run: network.runOnNode });
    cleaner = new UdpCleaner({ family, conntrack: conntrack({ run: network.runOnNode }), slicesOf: () => slices, metrics, logger: silent, label: { ip_family: family } });
  }, 60_000);
  afterAll(async () => {
    await cleaner?.stop();
    await network?.close();
  });

  /** `clean`: whether the agent looks for stale flows, as it does after each sync. */
  async function become(manifests: readonly ServiceManifest[], { clean = true } = {}): Promise<void> {
    slices = manifests.flatMap(sliceObjects).flatMap((object) => decodeEndpointSlice(object).record ?? []);
    const state = stateOf(family, manifests);
    const changed = new Set(['default/dns']);
    cleaner.syncing(changed, state);
    await backend.sync({ state, changed, signal: new AbortController().signal });
    if (clean) cleaner.synced();
  }
  const ask = (): Promise<Answer> => network.ask('podA', { protocol: 'UDP', address: ip[family], port: 53, sourcePort: 4053, timeoutMs: 200 });
  const answeredBy = (pod: string) => async (): Promise<boolean> => {
    const answer = await ask();
    return typeof answer === 'object' && 'by' in answer && answer.by === pod;
  };
  const atNodePort = (): Promise<Answer> => network.ask('client', { protocol: 'UDP', address: addresses.node[family], port: nodePort, sourcePort: 4054, timeoutMs: 200 });
  /** Three times the promised second. */
  const untilAnswered = (pod: string): Promise<void> => until(`${pod} answers`, answeredBy(pod), 3000);

  test('goes on to an endpoint that is gone when nobody looks: what the other rows are about is real', async () => {
    await become([dns('podB')]);
    await untilAnswered('podB');
    await become([dns('podC')], { clean: false });
    expect(await ask()).toMatchObject({ by: 'podB' });
    cleaner.synced();
    await untilAnswered('podC');
  });

  test('reaches the endpoint that takes the place of another, within a second', async () => {
    const started = performance.now();
    await become([dns('podB')]);
    await untilAnswered('podB');
    process.stdout.write(`a replaced DNS endpoint was reached after ${Math.round(performance.now() - started)} ms (${family})\n`);
  });

  test('stays where it is while that endpoint drains', async () => {
    await become([dns({ pod: 'podB', conditions: { ready: false, serving: true, terminating: true } }, 'podC')]);
    expect(await ask()).toMatchObject({ by: 'podB' });
  });

  test('is refused when the last endpoint is gone, and served again when one comes', async () => {
    await become([dns()]);
    await until('nobody answers', async () => typeof (await ask()) === 'string', 3000);
    await become([dns('podC')]);
    await untilAnswered('podC');
  });

  test('is not led anywhere any more when the Service is deleted', async () => {
    await become([]);
    await until('nobody answers', async () => typeof (await ask()) === 'string', 3000);
  });

  test('an outside client at a NodePort follows as well', async () => {
    await become([dns('podB')]);
    await until('podB answers', async () => JSON.stringify(await atNodePort()).includes('podB'), 3000);
    await become([dns('podC')]);
    await until('podC answers', async () => JSON.stringify(await atNodePort()).includes('podC'), 3000);
  });

  test('what was done is counted', async () => {
    const text = await metrics.registry.metrics();
    expect(Number(new RegExp(`deleted_entries_total\\{ip_family="${family}"\\} (\\d+)`).exec(text)?.[1])).toBeGreaterThanOrEqual(4);
  });
});
