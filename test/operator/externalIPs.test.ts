import { describe, expect, test } from '@jest/globals';
import { decodeExternalIPs, ServicesWithExternalIPs } from '../../src/operator/events/externalIPs.ts';
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

function servicesOf(...services: readonly unknown[]): ServicesWithExternalIPs {
  const known = new ServicesWithExternalIPs();
  for (const service of services.map(decodeExternalIPs)) if (service !== undefined) known.observe(service.uid, service);
  return known;
}

const closed = proxyConfig('closed', {});
const open = proxyConfig('open', { externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } });
const partly = proxyConfig('partly', { externalIPs: { allowedCIDRs: ['198.51.100.0/24'] } });

describe('ServicesWithExternalIPs', () => {
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

const warning = (addresses: string): string =>
  `Warning ExternalIPsNotAllowed: not served: externalIPs ${addresses}, on nodes of ProxyConfig all; its spec.externalIPs.allowedCIDRs does not hold them`;

describeWhere(['cluster'], 'ServiceEventWriter with external IPs, on a real API server', () => {
  test('get one event for each change, and none again from the next operator', async () => {
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
});
