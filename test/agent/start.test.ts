import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { runAgent } from '../../src/agent/runAgent.ts';
import { builtIn } from '../../src/agent/config/desiredConfig.ts';
import type { AgentConfig } from '../../src/config.ts';
import { ApiError } from '../../src/kube/apiError.ts';
import type { KubeClient, ListOptions } from '../../src/kube/client.ts';
import type { WatchEvent } from '../../src/kube/watchLines.ts';
import { until } from '../support/until.ts';
import { node, service, slice } from '../support/objects.ts';
import { nodeAddressesOf } from '../../src/model/nodeAddresses.ts';
import { RecordingBackend } from './recordingBackend.ts';
import { silentLogger } from '../support/silentLogger.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';

const types: Readonly<Record<string, { readonly apiVersion: string; readonly kind: string }>> = {
  services: { apiVersion: 'v1', kind: 'Service' },
  endpointslices: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  nodes: { apiVersion: 'v1', kind: 'Node' },
  servicecidrs: { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
  nodeproxies: { apiVersion: 'proxyconfig.dev/v1alpha1', kind: 'NodeProxy' },
};

const pluralIn = (url: string): string => url.split('/').at(-1) ?? '';

/** Lists are answered when a test lets them; watches bring no change. */
class GatedApi implements KubeClient {
  readonly server = 'http://127.0.0.1:1';
  readonly asked: string[] = [];
  readonly #gates = new Map<string, PromiseWithResolvers<readonly object[]>>();

  get(): Promise<never> {
    return Promise.reject(new Error('no single object is to be read'));
  }

  async list(url: string, _query: object, { onItem, signal }: ListOptions): Promise<object> {
    const kind = pluralIn(url);
    this.asked.push(kind);
    const cut = new Promise<never>((_resolve, reject) =>
      signal?.addEventListener('abort', () => reject(new Error('cut'))),
    );
    const items = await Promise.race([this.#gate(kind).promise, cut]);
    for (const item of items) onItem(item, 1000);
    return { ...types[kind], kind: `${types[kind]?.kind}List`, metadata: { resourceVersion: '1' }, items: [] };
  }

  open(kind: string, ...items: readonly object[]): void {
    this.#gate(kind).resolve(items);
  }

  refuse(kind: string, status: number): void {
    this.#gate(kind).reject(new ApiError({ status, reason: 'NotFound', message: kind }));
  }

  send(): Promise<never> {
    return Promise.reject(new Error('nothing is to be written'));
  }

  async *watch(url: string, _query: object, signal: AbortSignal): AsyncIterable<WatchEvent> {
    yield { type: 'BOOKMARK', object: { ...types[pluralIn(url)], metadata: { resourceVersion: '1' } } };
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #gate(kind: string): PromiseWithResolvers<readonly object[]> {
    const gate = this.#gates.get(kind) ?? Promise.withResolvers<readonly object[]>();
    this.#gates.set(kind, gate);
    return gate;
  }
}

const idleConntrack = { listUdp: () => Promise.resolve(), deleteUdp: () => Promise.resolve(0) };
const noSysctls = { read: () => Promise.resolve(new Map<string, string>()), write: () => Promise.resolve() };

let api: GatedApi;
let backend: RecordingBackend;
let stop: AbortController;
let running: Promise<void>;
let stateDirectory: string;

beforeEach(async () => {
  api = new GatedApi();
  backend = new RecordingBackend();
  stop = new AbortController();
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-start-'));
  const anyPort = { host: '127.0.0.1', port: 0 };
  const config: AgentConfig = {
    version: '1',
    kubernetes: {},
    nodeName: 'node-1',
    healthAddress: anyPort,
    metricsAddress: anyPort,
    stateDirectory,
    logLevel: 'error',
  };
  const logger = silentLogger;
  running = runAgent(config, stop.signal, {
    client: api,
    logger,
    kernel: {
      otherProxies: noOtherProxies,
      readListeningSockets: () => Promise.resolve([]),
      makeBackend: () => backend,
      conntrack: idleConntrack,
      sysctls: noSysctls,
      startFlushMonitor: async () => ({ conditions: () => [], stop: () => Promise.resolve() }),
      readNodeAddresses: (record) => nodeAddressesOf([], record),
    },
  });
  await until('everything is asked for', () => api.asked.length === 5);
});

afterEach(async () => {
  stop.abort();
  await running;
  await rm(stateDirectory, { recursive: true });
});

const kinds = ['services', 'endpointslices', 'nodes'];

function answer(kind: string): void {
  const items = { services: service('web'), endpointslices: slice('web'), nodes: node() }[kind];
  api.open(kind, ...(items === undefined ? [] : [items]));
}

describe('runAgent', () => {
  test.each(kinds)('writes nothing before %s have been listed, and then everything, once', async (last) => {
    api.refuse('nodeproxies', 404);
    for (const kind of kinds) if (kind !== last) answer(kind);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(backend.syncs).toEqual([]);
    answer(last);
    await until('the first sync', () => backend.syncs.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(backend.syncs).toMatchObject([{ changed: 'all' }]);
  });

  test.each([404, 403, 500])('does not wait for ServiceCIDRs that are answered by %i', async (status) => {
    for (const kind of ['nodeproxies', 'servicecidrs']) api.refuse(kind, kind === 'nodeproxies' ? 404 : status);
    for (const kind of kinds) answer(kind);
    await until('the first sync', () => backend.syncs.length > 0);
    expect(backend.syncs).toMatchObject([{ changed: 'all' }]);
  });

  test('does not wait for ServiceCIDRs that do not come, and writes everything again when they do', async () => {
    api.refuse('nodeproxies', 404);
    for (const kind of kinds) answer(kind);
    await until('the first sync', () => backend.syncs.length > 0);
    const metadata = { name: 'kubernetes', uid: 'u', resourceVersion: '1' };
    api.open('servicecidrs', { ...types['servicecidrs'], metadata, spec: { cidrs: ['10.96.0.0/16'] } });
    await until('another sync', () => backend.syncs.length > 1);
    expect(backend.syncs).toMatchObject([{ changed: 'all' }, { changed: 'all' }]);
  });

  test('writes nothing while a NodeProxy may still come', async () => {
    for (const kind of kinds) answer(kind);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(backend.syncs).toEqual([]);
    const config = { ...builtIn().config, masquerade: { bit: 15, all: false } };
    const spec = { configRef: { name: 'default', uid: 'u', generation: 1 }, revision: 'r1', config };
    api.open('nodeproxies', { metadata: { name: 'node-1', uid: 'n', generation: 1, resourceVersion: '1' }, spec });
    await until('the first sync', () => backend.syncs.length > 0);
    expect(backend.syncs[0]?.config.masquerade.bit).toBe(15);
  });

  test('stops without waiting for lists that are not answered', async () => {
    stop.abort();
    const before = performance.now();
    await running;
    expect(performance.now() - before).toBeLessThan(1000);
  });
});
