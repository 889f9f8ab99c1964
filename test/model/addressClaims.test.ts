import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { AddressClaims, addressClaimsOf } from '../../src/model/addressClaims.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import { servicePorts } from '../../src/model/servicePorts.ts';
import type { ServiceKey, ServiceRecord } from '../../src/model/service.ts';
import { defaultConfig } from '../support/serviceManifests.ts';

interface Claimant {
  readonly name: string;
  readonly clusterIP?: string;
  readonly externalIPs?: readonly string[];
  readonly loadBalancerIPs?: readonly string[];
  readonly ports?: readonly number[];
  readonly protocol?: string;
  /** Of 2026. */
  readonly month?: number;
}

function recordOf({
  name,
  clusterIP = '10.96.0.1',
  externalIPs = [],
  loadBalancerIPs = [],
  ports = [80],
  protocol = 'TCP',
  month = 1,
}: Claimant): ServiceRecord {
  const { record, problems } = decodeService({
    metadata: { namespace: 'ns', name, creationTimestamp: `2026-${String(month).padStart(2, '0')}-01T00:00:00Z` },
    spec: {
      type: loadBalancerIPs.length > 0 ? 'LoadBalancer' : 'ClusterIP',
      clusterIP,
      externalIPs,
      ports: ports.map((port) => ({ name: `p${port}`, port, protocol })),
    },
    status: { loadBalancer: { ingress: loadBalancerIPs.map((ip) => ({ ip })) } },
  });
  if (record === undefined) throw new Error(JSON.stringify(problems));
  return record;
}

function servicesOf(claimants: readonly Claimant[]): Map<ServiceKey, ServiceRecord> {
  return new Map(claimants.map((claimant) => [`ns/${claimant.name}`, recordOf(claimant)]));
}

const config = { externalIPs: { allowedCIDRs: ['198.51.100.0/24', '10.96.0.0/16', '2001:db8::/32'] } };
const shared = '198.51.100.7';

/** The external and load balancer IPs that a Service is served at. */
function claimsGranted(
  key: ServiceKey,
  services: ReadonlyMap<ServiceKey, ServiceRecord>,
  owners: Readonly<Record<string, ServiceKey | undefined>>,
): string {
  const { externalIPs = [], loadBalancerIPs = [], ports = [] } = services.get(key) ?? {};
  return [...externalIPs, ...loadBalancerIPs]
    .flatMap((address) => ports.map(({ port }) => `${address} ${port}`))
    .filter((frontend) => owners[frontend] === key)
    .join();
}

describe('AddressClaims', () => {
  const rows: readonly { name: string; claimants: readonly Claimant[]; address: string; owner: string | undefined }[] =
    [
      {
        name: "an external IP that is another's cluster IP is the cluster IP's, also where it is younger",
        claimants: [
          { name: 'guest', clusterIP: '10.96.0.2', externalIPs: ['10.96.0.1'] },
          { name: 'host', clusterIP: '10.96.0.1', month: 9 },
        ],
        address: '10.96.0.1',
        owner: 'ns/host',
      },
      {
        name: "a load balancer IP that is another's cluster IP",
        claimants: [
          { name: 'guest', clusterIP: '10.96.0.2', loadBalancerIPs: ['10.96.0.1'] },
          { name: 'host', clusterIP: '10.96.0.1', month: 9 },
        ],
        address: '10.96.0.1',
        owner: 'ns/host',
      },
      {
        name: "another's cluster IP at a port that it does not have is nobody else's claim",
        claimants: [
          { name: 'guest', clusterIP: '10.96.0.2', externalIPs: ['10.96.0.1'] },
          { name: 'host', clusterIP: '10.96.0.1', ports: [443] },
        ],
        address: '10.96.0.1',
        owner: 'ns/guest',
      },
      {
        name: 'of two external IPs the older Service has it',
        claimants: [
          { name: 'a', externalIPs: [shared], month: 5 },
          { name: 'b', externalIPs: [shared], month: 4 },
        ],
        address: shared,
        owner: 'ns/b',
      },
      {
        name: 'of two of one age the first by name',
        claimants: [
          { name: 'b', loadBalancerIPs: [shared] },
          { name: 'a', loadBalancerIPs: [shared] },
        ],
        address: shared,
        owner: 'ns/a',
      },
      {
        name: 'an external IP that the configuration does not allow takes nothing away',
        claimants: [
          { name: 'a', externalIPs: ['203.0.113.7'], month: 1 },
          { name: 'b', loadBalancerIPs: ['203.0.113.7'], month: 9 },
        ],
        address: '203.0.113.7',
        owner: 'ns/b',
      },
      {
        name: 'another protocol is another frontend',
        claimants: [
          { name: 'a', externalIPs: [shared], protocol: 'UDP' },
          { name: 'b', externalIPs: [shared], month: 9 },
        ],
        address: shared,
        owner: 'ns/b',
      },
      { name: 'what nobody claims', claimants: [{ name: 'a' }], address: shared, owner: undefined },
    ];
  test.each(rows)('settles: $name', ({ claimants, address, owner }) => {
    for (const order of [claimants, claimants.toReversed()])
      expect(addressClaimsOf(servicesOf(order)).ownerOf(address, { protocol: 'TCP', port: 80 }, config)).toBe(owner);
  });

  test('leaves the loser its other ports and addresses, and names the owner', () => {
    const services = servicesOf([
      { name: 'old', externalIPs: [shared] },
      { name: 'new', externalIPs: [shared, '198.51.100.8'], ports: [80, 443], month: 9 },
    ]);
    const service = services.get('ns/new');
    if (service === undefined) throw new Error('no Service');
    const view = {
      service,
      slices: [],
      node: { name: '', addresses: [], podCIDRs: [], zone: '', labels: {} },
    } as const;
    const ports = servicePorts({
      ...view,
      config: { ...defaultConfig, ...config },
      family: 'ipv4',
      claims: addressClaimsOf(services),
    });
    expect(
      ports.map(({ port, externalIPs, lostAddresses }) => ({ port, externalIPs, lost: [...lostAddresses] })),
    ).toEqual([
      { port: 80, externalIPs: ['198.51.100.8'], lost: [[shared, 'ns/old']] },
      { port: 443, externalIPs: [shared, '198.51.100.8'], lost: [] },
    ]);
  });

  const addresses = ['10.96.0.1', '10.96.0.2', shared, '198.51.100.8'];
  const claimant = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    clusterIP: fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', '10.96.0.4'),
    externalIPs: fc.subarray(addresses),
    loadBalancerIPs: fc.subarray(addresses),
    ports: fc.subarray([80, 443], { minLength: 1 }),
    month: fc.integer({ min: 1, max: 3 }),
  });
  /** A cluster IP has one Service: the API server sees to it. */
  const step = fc.record({ claimant, isGone: fc.boolean() });

  test('are after any changes what they are from the start, and every change of an owner is told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const services = new Map<ServiceKey, ServiceRecord>();
        const claims = new AddressClaims(services);
        for (const { claimant: each, isGone } of steps) {
          const key = `ns/${each.name}`;
          const taken = [...services].some(
            ([other, { clusterIPs }]) => other !== key && clusterIPs.includes(each.clusterIP),
          );
          if (taken) continue;
          const owners = ownersIn(addressClaimsOf(services));
          const before = services.get(key);
          const after = isGone ? undefined : recordOf(each);
          if (after === undefined) services.delete(key);
          else services.set(key, after);
          const told = new Set([...claims.update(key, before, after), key]);
          const now = ownersIn(claims);
          expect(now).toEqual(ownersIn(addressClaimsOf(services)));
          const concerned = [...services.keys()].filter(
            (other) => claimsGranted(other, services, now) !== claimsGranted(other, services, owners),
          );
          expect([...told]).toEqual(expect.arrayContaining(concerned));
        }
      }),
      { numRuns: 1000 },
    );
  });

  function ownersIn(claims: AddressClaims): Readonly<Record<string, ServiceKey | undefined>> {
    return Object.fromEntries(
      addresses.flatMap((address) =>
        [80, 443].map((port) => [`${address} ${port}`, claims.ownerOf(address, { protocol: 'TCP', port }, config)]),
      ),
    );
  }
});
