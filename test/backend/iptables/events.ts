/**
 * Random histories of a cluster: Services, slices and the node, made, changed and deleted in any order.
 */
import * as fc from 'fast-check';

type Json = Readonly<Record<string, unknown>>;

export type Event =
  | { readonly kind: 'service' | 'slice'; readonly key: string; readonly object: Json }
  | { readonly kind: 'serviceGone' | 'sliceGone'; readonly key: string }
  | { readonly kind: 'node'; readonly name: string; readonly zone: string };

/** So few that they meet again. */
const numbers = fc.integer({ min: 1, max: 4 });
const policy = fc.constantFrom('Cluster', 'Local');

const service: fc.Arbitrary<Event> = fc
  .record({
    number: numbers,
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    protocols: fc.subarray(['TCP', 'UDP', 'SCTP'], { minLength: 1 }),
    internalTrafficPolicy: policy,
    externalTrafficPolicy: policy,
    sessionAffinity: fc.constantFrom('None', 'ClientIP'),
    ranges: fc.constantFrom([], ['192.0.2.0/24', '2001:db8::/64'], ['198.51.100.7/32']),
    families: fc.constantFrom('both', 'ipv4'),
  })
  .map(({ number, type, protocols, ranges, families, ...policies }) => {
    const addresses = [`10.96.0.${number}`, ...(families === 'both' ? [`fd00:96::${number}`] : [])];
    const ports = protocols.map((protocol, index) => ({ name: `p${index}`, protocol, port: 80, ...(type !== 'ClusterIP' && { nodePort: 30_000 + 10 * number + index }) }));
    const spec = { type, clusterIP: addresses[0], clusterIPs: addresses, ports, loadBalancerSourceRanges: ranges, ...policies };
    const status = { loadBalancer: { ingress: type === 'LoadBalancer' ? [{ ip: `203.0.113.${number}` }, { ip: `2001:db8:2::${number}` }] : [] } };
    return { kind: 'service', key: `default/s${number}`, object: { metadata: { namespace: 'default', name: `s${number}` }, spec, status } };
  });

const endpoint = fc.record({
  last: fc.integer({ min: 1, max: 5 }),
  conditions: fc.record({ ready: fc.boolean(), serving: fc.boolean(), terminating: fc.boolean() }),
  nodeName: fc.constantFrom('node-1', 'node-2'),
  hints: fc.constantFrom({}, { forZones: [{ name: 'zone-a' }] }, { forNodes: [{ name: 'node-1' }] }, { forZones: [{ name: 'zone-b' }] }),
});

/** Any slice may hold any endpoint, also one that stands in another of the same Service, and may move to another Service. */
const slice: fc.Arbitrary<Event> = fc
  .record({ number: fc.integer({ min: 1, max: 8 }), owner: numbers, family: fc.constantFrom('IPv4', 'IPv6'), target: fc.constantFrom(8080, 8081), endpoints: fc.array(endpoint, { maxLength: 4 }) })
  .map(({ number, owner, family, target, endpoints }) => ({
    kind: 'slice',
    key: `default/slice-${number}`,
    object: {
      metadata: { namespace: 'default', name: `slice-${number}`, labels: { 'kubernetes.io/service-name': `s${owner}` } },
      addressType: family,
      ports: ['TCP', 'UDP', 'SCTP'].flatMap((protocol) => [0, 1, 2].map((index) => ({ name: `p${index}`, protocol, port: target }))),
      endpoints: endpoints.map(({ last, ...rest }) => Object.assign({ addresses: [family === 'IPv4' ? `10.244.0.${last}` : `fd00:244::${last}`] }, rest)),
    },
  }));

const gone: fc.Arbitrary<Event> = fc.oneof(
  numbers.map((number) => ({ kind: 'serviceGone' as const, key: `default/s${number}` })),
  fc.integer({ min: 1, max: 8 }).map((number) => ({ kind: 'sliceGone' as const, key: `default/slice-${number}` })),
);

const node: fc.Arbitrary<Event> = fc.constantFrom('zone-a', 'zone-b', '').map((zone) => ({ kind: 'node', name: 'node-1', zone }));

const event = fc.oneof({ weight: 8, arbitrary: service }, { weight: 10, arbitrary: slice }, { weight: 4, arbitrary: gone }, { weight: 1, arbitrary: node });

/** What happens between one sync and the next, again and again. */
export const sequences: fc.Arbitrary<readonly (readonly Event[])[]> = fc.array(fc.array(event, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 8 });

/** Services that stay as they are, so many that dispatch needs a tree. */
export function crowd(count: number): readonly Event[] {
  return Array.from({ length: count }, (_, index): readonly Event[] => {
    const metadata = { namespace: 'crowd', name: `s${index}` };
    const addresses = [`10.97.${index >> 4}.${index & 15}`, `fd00:97::${index.toString(16)}`];
    const object = { metadata, spec: { clusterIP: addresses[0], clusterIPs: addresses, ports: [{ port: 80 }] } };
    const slices = ['IPv4', 'IPv6'].map((family) => ({
      metadata: { namespace: 'crowd', name: `s${index}-${family.toLowerCase()}`, labels: { 'kubernetes.io/service-name': `s${index}` } },
      addressType: family,
      ports: [{ name: '', port: 8080 }],
      endpoints: [{ addresses: [family === 'IPv4' ? '10.244.1.1' : 'fd00:244:1::1'] }],
    }));
    return [{ kind: 'service', key: `crowd/s${index}`, object }, ...slices.map((each): Event => ({ kind: 'slice', key: `crowd/${each.metadata.name}`, object: each }))];
  }).flat();
}
