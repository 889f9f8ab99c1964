import { describe, expect, test } from '@jest/globals';
import { decodeServiceToNote, ServicesToNote } from '../../src/operator/events/servicesToNote.ts';
import { waitFor } from '../support/waitFor.ts';
import { describeWhere } from '../support/requirements.ts';
import { ClusterFixture } from './clusterFixture.ts';
import { startOperator, stopOperator } from './startOperator.ts';
import { proxyConfig } from './objects.ts';

function serviceWith(name: string, externalIPs: readonly string[], spec: object = {}): unknown {
  return {
    metadata: { namespace: 'default', name, uid: `uid-of-${name}` },
    spec: { clusterIP: '10.96.0.1', externalIPs, ports: [{ port: 80 }], ...spec },
  };
}

function balancerWith(addresses: readonly string[], ranges: readonly string[]): unknown {
  return {
    ...(serviceWith('a', [], { type: 'LoadBalancer', loadBalancerSourceRanges: ranges }) as object),
    status: { loadBalancer: { ingress: addresses.map((ip) => ({ ip })) } },
  };
}

function servicesOf(...services: readonly unknown[]): ServicesToNote {
  const known = new ServicesToNote();
  for (const service of services.map(decodeServiceToNote))
    if (service !== undefined) known.observe(service.uid, service);
  return known;
}

const closed = proxyConfig('closed', {});
const open = proxyConfig('open', { externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } });
const partly = proxyConfig('partly', { externalIPs: { allowedCIDRs: ['198.51.100.0/24'] } });

describe('ServicesToNote of external IPs', () => {
  const rows = [
    { name: 'all are allowed', service: serviceWith('a', ['198.51.100.1']), configs: [open, partly], notes: [] },
    { name: 'no node is governed', service: serviceWith('a', ['198.51.100.1']), configs: [], notes: [] },
    {
      name: 'none is allowed',
      service: serviceWith('a', ['198.51.100.1', '2001:db8::1']),
      configs: [closed],
      notes: ['198.51.100.1, 2001:db8::1, on nodes of ProxyConfig closed;'],
    },
    {
      name: 'one is, another is not',
      service: serviceWith('a', ['198.51.100.1', '203.0.113.1']),
      configs: [partly],
      notes: ['203.0.113.1, on nodes of ProxyConfig partly;'],
    },
    {
      name: 'on some nodes',
      service: serviceWith('a', ['203.0.113.1']),
      configs: [open, partly, closed],
      notes: ['203.0.113.1, on nodes of ProxyConfig partly, closed;'],
    },
    {
      name: 'many',
      service: serviceWith(
        'a',
        [1, 2, 3, 4, 5].map((last) => `203.0.113.${last}`),
      ),
      configs: [closed],
      notes: ['203.0.113.1, 203.0.113.2, 203.0.113.3 and 2 more, on'],
    },
    {
      name: 'a Service that is not proxied',
      service: serviceWith('a', ['203.0.113.1'], { clusterIP: 'None' }),
      configs: [closed],
      notes: [],
    },
    { name: 'a Service without', service: serviceWith('a', []), configs: [closed], notes: [] },
  ];
  test.each(rows)('$name', ({ service, configs, notes }) => {
    expect(
      servicesOf(service)
        .notes(configs)
        .map(({ note }) => note),
    ).toEqual(notes.map((words) => expect.stringContaining(words)));
  });
});

describe('ServicesToNote of source ranges', () => {
  const both = ['192.0.2.1', '2001:db8::1'];
  const refusedIPv6 =
    'nobody is admitted at 2001:db8::1: spec.loadBalancerSourceRanges has no IPv6 range; add those that may come, ::/0 for all';
  test.each([
    { name: 'IPv4 alone', service: balancerWith(both, ['192.0.2.0/24']), notes: [refusedIPv6] },
    {
      name: 'IPv6 alone',
      service: balancerWith(both, ['2001:db8::/64']),
      notes: [refusedIPv6.replace('2001:db8::1', '192.0.2.1').replace('IPv6', 'IPv4').replace('::/0', '0.0.0.0/0')],
    },
    { name: 'both', service: balancerWith(both, ['192.0.2.0/24', '::/0']), notes: [] },
    { name: 'none', service: balancerWith(both, []), notes: [] },
    { name: 'of the only family', service: balancerWith(['192.0.2.1'], ['192.0.2.0/24']), notes: [] },
    { name: 'without an address yet', service: balancerWith([], ['192.0.2.0/24']), notes: [] },
  ])('$name', ({ service, notes }) => {
    const services = servicesOf(service);
    expect(services.notes([open])).toEqual(
      notes.map((note) => expect.objectContaining({ reason: 'SourceRangesOfOneFamily', note }) as unknown),
    );
    expect(services.notes([])).toEqual([]);
  });
});

const warning = (addresses: string): string =>
  `Warning ExternalIPsNotAllowed: not served: externalIPs ${addresses}, on nodes of ProxyConfig all; its spec.externalIPs.allowedCIDRs does not hold them`;

describeWhere(['cluster'], 'owners of Services, on a real API server', () => {
  test('with external IPs get one event for each change, and none again from the next operator', async () => {
    const cluster = await ClusterFixture.start();
    let operator = await startOperator(cluster.client);
    const recorded = async (): Promise<string[]> =>
      (await cluster.eventsAbout('bank')).map(({ type, reason, note }) => `${type} ${reason}: ${note}`).sort();
    try {
      await cluster.addNode('node-1');
      await cluster.addConfig('all', { externalIPs: { allowedCIDRs: ['198.51.100.0/24'] } });
      await cluster.governedBy('node-1', 'all');
      await cluster.applyService('shop', ['198.51.100.7']);
      await cluster.applyService('bank', ['203.0.113.7', '198.51.100.8']);
      await waitFor('it is recorded', async () => (await recorded()).length > 0, { timeoutMs: 10_000 });
      await stopOperator(operator);
      operator = await startOperator(cluster.client);
      await cluster.applyService('bank', ['203.0.113.7', '203.0.113.8']);
      await waitFor('the change is recorded', async () => (await recorded()).length > 1, { timeoutMs: 10_000 });
      await cluster.changeConfig('all', { externalIPs: { allowedCIDRs: ['198.51.100.0/24', '203.0.113.0/24'] } });
      await cluster.nodeProxyThat('node-1', 'allows them', ({ spec }) =>
        JSON.stringify(spec.config?.['externalIPs']).includes('203.0.113.0/24'),
      );
      expect(await recorded()).toEqual([warning('203.0.113.7, 203.0.113.8'), warning('203.0.113.7')]);
      expect(await cluster.eventsAbout('shop')).toEqual([]);
      expect(await cluster.kubectl(['describe', 'service', 'bank'])).toContain('ExternalIPsNotAllowed');
    } finally {
      await stopOperator(operator);
      await cluster.stop();
    }
  }, 120_000);

  test('with source ranges of one family get an event, and one more with the next address', async () => {
    const cluster = await ClusterFixture.start();
    const operator = await startOperator(cluster.client);
    const recorded = async (): Promise<string[]> =>
      (await cluster.eventsAbout('web')).map(({ type, reason, note }) => `${type} ${reason}: ${note}`);
    try {
      await cluster.addNode('node-1');
      await cluster.addConfig('all', {});
      await cluster.governedBy('node-1', 'all');
      for (const addresses of [
        ['192.0.2.1', '2001:db8::1'],
        ['192.0.2.1', '2001:db8::2'],
      ]) {
        await cluster.applyLoadBalancer('web', addresses, ['192.0.2.0/24']);
        await waitFor(
          `an event names ${addresses[1]}`,
          async () =>
            (await recorded()).some((line) =>
              line.startsWith(`Warning SourceRangesOfOneFamily: nobody is admitted at ${addresses[1]}: `),
            ),
          { timeoutMs: 10_000 },
        );
      }
    } finally {
      await stopOperator(operator);
      await cluster.stop();
    }
  }, 120_000);
});
