import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Backend, SyncResult } from '../../../src/backend/backend.ts';
import { createBackend } from '../../../src/backend/registry.ts';
import { renderIptables } from '../../../src/backend/iptables/plan/render.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { FakeKernel } from './fakeKernel.ts';
import { keysOf, manyServices, plainService, serviceCIDRs, servicesArbitrary, signal, state } from './services.ts';

interface Started {
  readonly kernel: FakeKernel;
  readonly backend: Backend;
  readonly result: SyncResult;
}

async function started(manifests: readonly ServiceManifest[]): Promise<Started> {
  const kernel = new FakeKernel();
  const backend = createBackend('iptables', 'ipv4', kernel.host);
  const result = await backend.sync({ state: state(manifests), changed: 'all', signal });
  return { kernel, backend, result };
}

/** The state in which one Service is another one, or is gone. */
function changed(all: ServiceState, key: string, service: ServiceManifest | undefined): ServiceState {
  const one = state(service === undefined ? [] : [service]);
  return { ...all, ports: (each) => (each === key ? one : all).ports(each) };
}

const ranged = (services: readonly ServiceManifest[]): ServiceState => state(services, {}, 'ipv4', serviceCIDRs);

describe('IptablesBackend', () => {
  describe('cost follows the change', () => {
    const first = plainService(0);
    const changes: readonly { name: string; key: string; service: ServiceManifest | undefined }[] = [
      { name: 'one endpoint changes', key: 'many/svc-00000', service: plainService(0, ['podA', 'podB', 'podC']) },
      { name: 'one Service loses all endpoints', key: 'many/svc-00000', service: plainService(0, []) },
      { name: 'one Service goes', key: 'many/svc-00000', service: undefined },
      { name: 'one Service is added', key: 'many/svc-60000', service: plainService(60_000) },
      { name: 'nothing changes', key: 'many/svc-00000', service: first },
    ];

    async function cost(
      count: number,
      ranges: readonly string[] = [],
    ): Promise<Record<string, Pick<SyncResult, 'servicePortsPlanned' | 'linesSent' | 'commandsRun' | 'full'>>> {
      const all = state(manyServices(count), {}, 'ipv4', ranges);
      const backend = createBackend('iptables', 'ipv4', new FakeKernel().host);
      const start = await backend.sync({ state: all, changed: 'all', signal });
      expect(start).toMatchObject({ services: count, endpoints: 3 * count, servicePortsPlanned: count, full: true });
      const costs: Awaited<ReturnType<typeof cost>> = {};
      for (const { name, key, service } of changes) {
        const { servicePortsPlanned, linesSent, commandsRun, full } = await backend.sync({
          state: changed(all, key, service),
          changed: new Set([key]),
          signal,
        });
        costs[name] = { servicePortsPlanned, linesSent, commandsRun, full };
        await backend.sync({ state: all, changed: new Set([key]), signal });
      }
      return costs;
    }

    test('no more at 10,000 Services than at a few', async () => {
      const small = await cost(10);
      expect(small).toEqual({
        'one endpoint changes': { servicePortsPlanned: 1, linesSent: 12, commandsRun: 1, full: false },
        'one Service is added': { servicePortsPlanned: 1, linesSent: 17, commandsRun: 1, full: false },
        'one Service goes': { servicePortsPlanned: 0, linesSent: 11, commandsRun: 1, full: false },
        'one Service loses all endpoints': { servicePortsPlanned: 1, linesSent: 14, commandsRun: 1, full: false },
        'nothing changes': { servicePortsPlanned: 1, linesSent: 0, commandsRun: 0, full: false },
      });
      // Many Services are dispatched by a tree, of which whole chains are written: a handful of lines more where a
      // frontend comes or goes.
      const big = await cost(10_000);
      for (const [name, { linesSent, ...rest }] of Object.entries(small)) {
        const { linesSent: ofMany = Number.NaN, ...restOfMany } = big[name] ?? {};
        expect({ name, ...restOfMany }).toEqual({ name, ...rest });
        const maxMore = ['one endpoint changes', 'nothing changes'].includes(name) ? 0 : 12;
        expect({ name, isClose: ofMany - linesSent <= maxMore }).toEqual({ name, isClose: true });
      }
    }, 60_000);

    test.each([10, 1000])(
      'a bucket more where unused cluster IPs are checked, of %i Services',
      async (count) => {
        const [checked, unchecked] = [await cost(count, serviceCIDRs), await cost(count)];
        for (const [name, { linesSent }] of Object.entries(checked)) {
          const more = linesSent - (unchecked[name]?.linesSent ?? Number.NaN);
          // The bucket's chain is written whole: 32 rules at most, or as many jumps.
          const isOfAddress = ['one Service is added', 'one Service goes'].includes(name);
          expect({ name, isBounded: more <= (isOfAddress ? 40 : 0), isMore: more > 0 }).toEqual({
            name,
            isBounded: true,
            isMore: isOfAddress,
          });
        }
      },
      60_000,
    );
  });

  test('what checks unused cluster IPs comes and goes after nat', async () => {
    const kernel = new FakeKernel();
    const backend = createBackend('iptables', 'ipv4', kernel.host);
    const [first, second] = [plainService(1), plainService(2)];
    const rule = '-d 10.96.0.2/32 -j KUBE-CLUSTER-IPS-REJECT';
    await backend.sync({ state: ranged([first]), changed: 'all', signal });
    for (const services of [[first, second], [first]]) {
      await backend.sync({ state: ranged(services), changed: keysOf([second]), signal });
      const input = kernel.inputs.at(-1) ?? '';
      expect(input.includes(rule)).toBe(services.length === 2);
      expect(input.indexOf(':KUBE-CLUSTER-IPS-CHECK')).toBeGreaterThan(input.indexOf('*nat'));
    }
  });

  test('a cluster IP outside of the ranges has no rule of its own', async () => {
    const kernel = new FakeKernel();
    const backend = createBackend('iptables', 'ipv4', kernel.host);
    const manifests = [plainService(1), plainService(2), { ...plainService(3), namespace: 'elsewhere' }];
    await backend.sync({ state: state(manifests, {}, 'ipv4', ['10.96.0.2/31']), changed: 'all', signal });
    expect(kernel.state['filter KUBE-CLUSTER-IPS-CHECK']?.filter((rule) => rule.includes('REJECT'))).toEqual([
      '-d 10.96.0.2/32 -j KUBE-CLUSTER-IPS-REJECT',
      '-d 10.96.0.3/32 -j KUBE-CLUSTER-IPS-REJECT',
    ]);
  });

  test('changes one after the other lead to the rules, counts and hash of a fresh start', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(servicesArbitrary, { minLength: 2, maxLength: 5 }), async (steps) => {
        const { kernel, backend, result } = await started(steps[0] ?? []);
        let last = result;
        for (const [index, step] of steps.entries()) {
          last = await backend.sync({ state: state(step), changed: keysOf(steps[index - 1] ?? [], step), signal });
        }
        const fresh = await started(steps.at(-1) ?? []);
        expect(kernel.state).toEqual(fresh.kernel.state);
        const { rulesHash, rulesByTable, services, endpoints } = fresh.result;
        expect(last).toMatchObject({ full: false, rulesHash, rulesByTable, services, endpoints });
      }),
      { numRuns: 100 },
    );
  });

  test('a Service that loses its last endpoint is refused before its way through nat goes', async () => {
    const { kernel, backend } = await started([plainService(1)]);
    await backend.sync({ state: state([plainService(1, [])]), changed: keysOf([plainService(1)]), signal });
    const input = kernel.inputs.at(-1) ?? '';
    expect(input.indexOf('-j REJECT')).toBeGreaterThan(0);
    expect(input.indexOf('-j REJECT')).toBeLessThan(input.indexOf('*nat'));
  });

  test('a Service that gets its first endpoint is served before its refusal goes', async () => {
    const { kernel, backend } = await started([plainService(1, [])]);
    await backend.sync({ state: state([plainService(1)]), changed: keysOf([plainService(1)]), signal });
    const input = kernel.inputs.at(-1) ?? '';
    expect(input.indexOf('-D KUBE-SERVICES')).toBeGreaterThan(input.indexOf('-I KUBE-SERVICES'));
    expect(input.lastIndexOf('*filter')).toBeGreaterThan(input.indexOf('*nat'));
  });

  test('rules that there are as many of as endpoints go without comments from 1,000 endpoints on, as those of kube-proxy do', async () => {
    const few = renderIptables(state(manyServices(300))).input;
    const many = renderIptables(state(manyServices(350))).input;
    expect(few).toMatch(/^-A KUBE-SEP-\S+ -m comment --comment "many\/svc-00001"/m);
    expect(many).not.toMatch(/^-A KUBE-SEP-\S+ -m comment|^-A KUBE-SVC-.* -> /m);
    expect(many).toContain('"many/svc-00001 cluster IP"');
    // Decided by full syncs alone.
    const { kernel, backend } = await started(manyServices(300));
    await backend.sync({ state: state(manyServices(350)), changed: keysOf(manyServices(350)), signal });
    expect(kernel.inputs.at(-1)).toMatch(/^-A KUBE-SEP-\S+ -m comment/m);
  });

  test('the nft variant gets its many Services in blocks, to the same end', () => {
    const input = {
      nft: renderIptables(state(manyServices(250))).input,
      legacy: renderIptables(state(manyServices(250), { iptables: { backend: 'Legacy' } })).input,
    };
    expect(input.nft.split('*nat\n')).toHaveLength(1 + 3);
    expect(input.legacy.split('*nat\n')).toHaveLength(1 + 1);
    expect(loaded(input.nft)).toEqual(loaded(input.legacy));
  });

  test('a change of the configuration plans every Service again', async () => {
    const { backend } = await started(manyServices(5));
    const result = await backend.sync({
      state: state(manyServices(5), { masquerade: { bit: 15, all: false } }),
      changed: new Set(),
      signal,
    });
    expect(result).toMatchObject({ full: true, servicePortsPlanned: 5 });
  });
});

function loaded(input: string): FakeKernel['state'] {
  const kernel = new FakeKernel();
  kernel.restore(input);
  return kernel.state;
}
