/**
 * No text of an object reaches a rule unchecked: every string of every object that an agent reads is replaced by
 * hostile ones, and whatever comes out is made of nothing but the tokens that rules may have.
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { configOfNodeProxy } from '../../src/agent/config/desiredConfig.ts';
import { Store } from '../../src/agent/watch/store.ts';
import { builtInConfig } from '../../src/api/defaults.ts';
import type { NodeProxy } from '../../src/api/generated/nodeProxy.ts';
import { refusalOf, render } from '../../src/backend/registry.ts';
import { InvalidRule } from '../../src/netfilter/checked.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeNode } from '../../src/model/decodeNode.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { scaled } from '../support/scale.ts';
import { hostile } from './hostileText.ts';

const endpoint = {
  nodeName: 'node-1',
  zone: 'a',
  hostname: 'web-0',
  hints: { forZones: [{ name: 'a' }], forNodes: [{ name: 'node-1' }] },
  targetRef: { name: 'web-0' },
};
const slice = (name: string, addressType: string, address: string) => ({
  metadata: {
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    labels: { 'kubernetes.io/service-name': 'web' },
    annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
  },
  addressType,
  ports: [{ name: 'http', protocol: 'TCP', port: 8080, appProtocol: 'http' }],
  endpoints: [{ addresses: [address], ...endpoint }],
});

const objects = {
  service: {
    metadata: { namespace: 'default', name: 'web', uid: 'uid-1', labels: { app: 'web' }, annotations: { note: 'x' } },
    spec: {
      type: 'LoadBalancer',
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1', 'fd00:96::1'],
      externalIPs: ['198.51.100.1', '2001:db8:3::1'],
      loadBalancerSourceRanges: ['192.0.2.0/24', '2001:db8:9::/64'],
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'ClientIP',
      healthCheckNodePort: 31_000,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30_080, targetPort: 'web' }],
    },
    status: {
      loadBalancer: {
        ingress: [
          { ip: '203.0.113.1', ipMode: 'VIP', hostname: 'lb.example.com' },
          { ip: '2001:db8:2::1', ipMode: 'VIP' },
        ],
      },
    },
  },
  slice: slice('web-1', 'IPv4', '10.244.1.2'),
  sliceIPv6: slice('web-2', 'IPv6', 'fd00:244::2'),
  node: {
    metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'a' } },
    spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:244::/64'] },
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '2001:db8::1' },
      ],
    },
  },
  config: {
    ...builtInConfig(),
    localTraffic: { detect: 'ClusterCIDR', clusterCIDRs: ['10.244.0.0/16', 'fd00:244::/48'] },
    externalIPs: { allowedCIDRs: ['198.51.100.0/24', '2001:db8:3::/64'] },
    nodePorts: { addresses: ['192.0.2.0/24', '2001:db8::/64'] },
    iptables: { backend: 'Nft' },
  },
};
type Objects = typeof objects;
type Path = readonly (string | number)[];

/** A text in the objects: a value, or a key of a map whose keys users choose. */
interface Field {
  readonly path: Path;
  readonly text: string;
  readonly isKey?: true;
}

const mapsWithFreeKeys = new Set<string | number>(['labels', 'annotations']);

function fieldsIn(value: unknown, path: Path = []): readonly Field[] {
  if (typeof value === 'string') return [{ path, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]) => {
    const keys: readonly Field[] = mapsWithFreeKeys.has(path.at(-1) ?? '')
      ? [{ path: [...path, key], text: key, isKey: true }]
      : [];
    return keys.concat(fieldsIn(child, [...path, Array.isArray(value) ? Number(key) : key]));
  });
}

function withText(original: Objects, { path, isKey }: Pick<Field, 'path' | 'isKey'>, text: string): Objects {
  const copy = structuredClone(original);
  const key = path.at(-1) ?? '';
  let at = copy as unknown as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  const value = at[key];
  if (isKey) Reflect.deleteProperty(at, key);
  at[isKey ? text : key] = isKey ? value : text;
  return copy;
}

/** A configuration names networks or an interface. */
const withInterface = {
  ...objects,
  config: { ...objects.config, localTraffic: { detect: 'InterfaceNamePrefix', interface: 'veth' } },
} as unknown as Objects;
const bases = [objects, withInterface] as const;
const fields = fieldsIn(objects);

interface Change {
  readonly field: Field;
  readonly bad: string;
}

/** One to three fields replaced, each by a text of its own. */
const single = (all: readonly Field[]): fc.Arbitrary<readonly Change[]> =>
  fc
    .uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 3 })
    .chain((chosen) => fc.tuple(...chosen.map((field) => hostile(field.text).map((bad) => ({ field, bad })))));

/**
 * The same text in several places, as the name of a port is: where it is not attacked in all of them at once, it leads
 * nowhere.
 */
const everywhere = (all: readonly Field[]): fc.Arbitrary<readonly Change[]> => {
  const repeated = [...Map.groupBy(all, ({ text }) => text).values()].filter((same) => same.length > 1);
  return fc
    .constantFrom(...repeated)
    .chain((same) => hostile(same[0]?.text ?? '').map((bad) => same.map((field) => ({ field, bad }))));
};

const attack = fc
  .constantFrom(...bases)
  .chain((base) =>
    fc
      .oneof({ weight: 3, arbitrary: single(fieldsIn(base)) }, { weight: 1, arbitrary: everywhere(fieldsIn(base)) })
      .map((changes) => attacked(base, changes)),
  );

/** Values before keys, which their paths hold. */
function attacked(base: Objects, changes: readonly Change[]): Objects {
  const keysLast = changes.toSorted(
    (one, other) => Number(one.field.isKey ?? false) - Number(other.field.isKey ?? false),
  );
  return keysLast.reduce((all, { field, bad }) => withText(all, field, bad), base);
}

/** Every line that iptables-restore may be given, with nothing in it that is more than one token. */
const address = String.raw`(?:\d{1,3}(?:\.\d{1,3}){3}\/\d{1,2}|[0-9a-f:.]*:[0-9a-f:.]*\/\d{1,3})`;
const word = String.raw`(?:${address}|[A-Za-z0-9][A-Za-z0-9_.,:/+-]*|\[[0-9a-f:]+\]:\d+|--?[a-z][a-z-]*|!)`;
const line = new RegExp(
  String.raw`^(?:\*(?:nat|filter|mangle)|COMMIT|:KUBE-[A-Z0-9-]+ - \[0:0\]|-[AIX] [A-Z0-9-]+(?: (?:"[A-Za-z0-9 .,:;/>[\]_()-]{1,255}"|${word}))*)$`,
);
const addressOption = new RegExp(String.raw`(?:^| )-[sd] (?!${address}(?: |$))`);

/** What the agent would write, by all that lies between an object and a rule. */
function rulesOf({ service, slice: ofIPv4, sliceIPv6: ofIPv6, node, config }: Objects): string[] {
  const store = new Store();
  const nodeRecord = decodeNode(node).record;
  const spec = {
    configRef: { name: 'c', uid: 'u', generation: 1 },
    revision: 'r',
    config,
  } as unknown as NodeProxy['spec'];
  const desired = configOfNodeProxy(spec);
  if (nodeRecord === undefined || 'reason' in desired || refusalOf(desired.config.mode) !== undefined) return [];
  store.setService('default/web', decodeService(service));
  store.setSlice('default/web-1', decodeEndpointSlice(ofIPv4));
  store.setSlice('default/web-2', decodeEndpointSlice(ofIPv6));
  return ipFamilies.flatMap((family) => {
    try {
      return render(store.state(family, nodeRecord, desired.config)).flatMap(({ input }) =>
        input.trimEnd().split('\n'),
      );
    } catch (error) {
      // The last barrier holds; the Service is then quarantined.
      if (error instanceof InvalidRule) return [];
      throw error;
    }
  });
}

function suspicious(lines: readonly string[]): readonly string[] {
  return lines.filter((each) => !line.test(each) || addressOption.test(each.replaceAll(/"[^"]*"/g, '""')));
}

function familiesServed(rules: readonly string[]): readonly IPFamily[] {
  const destination: Readonly<Record<IPFamily, RegExp>> = { ipv4: /--to-destination \d/, ipv6: /--to-destination \[/ };
  return ipFamilies.filter((family) => rules.some((each) => destination[family].test(each)));
}

describe('Rules of hostile objects', () => {
  test('serve the objects when they are harmless, with lines of the known kinds alone', () => {
    for (const base of bases) {
      const rules = rulesOf(base);
      expect(familiesServed(rules)).toEqual(['ipv4', 'ipv6']);
      expect(suspicious(rules)).toEqual([]);
    }
    expect(rulesOf(objects).join('\n')).toContain('! -s 10.244.0.0/16');
    expect(rulesOf(withInterface).join('\n')).toContain('! -i veth+');
    expect(fields.length).toBeGreaterThan(40);
  });

  test('are checked by expressions that find an injected rule, an octal address and a host name', () => {
    expect(
      suspicious([
        '-I INPUT -j DROP"',
        '-A KUBE-SERVICES -d evil.example.com -j DROP',
        '-A X -m comment --comment "a\\" -j DROP',
        '-A KUBE-SERVICES -s 10.0.0.1 -j RETURN',
      ]),
    ).toHaveLength(4);
  });

  test.each([
    {
      name: 'read an octal-looking address as decimal, as Kubernetes does',
      text: '010.096.000.010',
      expected: '-d 10.96.0.10/32',
    },
    { name: 'read an IPv4-mapped address as IPv4', text: '::ffff:10.96.0.9', expected: '-d 10.96.0.9/32' },
  ])('$name', ({ text, expected }) => {
    const paths = [
      ['service', 'spec', 'clusterIPs', 0],
      ['service', 'spec', 'clusterIP'],
    ];
    expect(rulesOf(paths.reduce((all, path) => withText(all, { path }, text), objects)).join('\n')).toContain(expected);
  });

  test('hold nothing unchecked, whichever field it is in', () => {
    const inputs = scaled(500, 10_000);
    const served: Record<IPFamily, number> = { ipv4: 0, ipv6: 0 };
    fc.assert(
      fc.property(attack, (hostileObjects) => {
        const rules = rulesOf(hostileObjects);
        for (const family of familiesServed(rules)) served[family] += 1;
        expect(suspicious(rules)).toEqual([]);
      }),
      { numRuns: inputs },
    );
    process.stdout.write(
      `${inputs} hostile inputs over ${fields.length} fields; rules lead to the endpoint after ${served.ipv4} of them in IPv4, ${served.ipv6} in IPv6\n`,
    );
    // An attack that is refused before there are rules proves nothing of them.
    for (const family of ipFamilies) expect(served[family]).toBeGreaterThan(inputs / 5);
  }, 900_000);
});
