/**
 * No external or load balancer IP becomes the node's own, whoever's it is, and each has rules that serve it
 * (docs/adr/0017-no-external-address-becomes-local.md).
 */
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { renderIptables } from '../../../src/backend/iptables/plan/render.ts';
import { ipvsContext } from '../../../src/backend/ipvs/plan/context.ts';
import { planExternalRules } from '../../../src/backend/ipvs/plan/externalRules.ts';
import { renderIpvs } from '../../../src/backend/ipvs/plan/render.ts';
import { planRules } from '../../../src/backend/ipvs/plan/rules.ts';
import { ipFamilies, type IPFamily } from '../../../src/model/ipFamily.ts';
import type { ServiceState } from '../../../src/model/serviceState.ts';
import { scenarios } from '../../scenarios/serviceTable.ts';
import { addresses, gateways, type Addresses } from '../../support/network.ts';
import { clusterIP, loadBalancerIP, stateOf } from '../../support/serviceManifests.ts';
import { servicesArbitrary } from '../iptables/services.ts';

/** What an empty node would be given, by tool. */
function inputsOf(state: ServiceState): Readonly<Record<string, string>> {
  return Object.fromEntries(renderIpvs(state).map(({ tool, input }) => [tool.replace('ip6tables', 'iptables'), input]));
}

/** On kube-ipvs0, as a virtual server, or kept from the node's own ports. */
function madeLocal(state: ServiceState): readonly string[] {
  const { ip = '', ipvsadm = '', ipset = '' } = inputsOf(state);
  const onDevice = [...ip.matchAll(/^address replace (\S+)\/\d+ dev/gm)].map(([, address = '']) => address);
  const served = [...ipvsadm.matchAll(/^-A \S+ \[?([0-9a-f.:]+?)\]?:\d+ -s/gm)].map(([, address = '']) => address);
  const kept = [...ipset.matchAll(/^add KUBE-(?:6-)?IPVS-IPS (\S+)/gm)].map(([, address = '']) => address);
  return [...onDevice, ...served, ...kept];
}

function ofServices(state: ServiceState): { readonly external: Set<string>; readonly cluster: Set<string> } {
  const all = [...state.keys()].flatMap((key) => state.ports(key));
  return {
    external: new Set(all.flatMap(({ externalIPs, loadBalancerIPs }) => [...externalIPs, ...loadBalancerIPs])),
    cluster: new Set(all.map((port) => port.clusterIP)),
  };
}

/** NodePorts are served on the node's own addresses, which a balancer may have as well. */
function strangersMadeLocal(state: ServiceState): readonly string[] {
  const { external, cluster } = ofServices(state);
  const own = new Set(state.node.addresses);
  return madeLocal(state).filter((address) => external.has(address) && !cluster.has(address) && !own.has(address));
}

/** The rules that lead to these addresses, or refuse them, whichever mode they are of. */
function rulesOf(input: string, external: ReadonlySet<string>): readonly string[] {
  const isAbout = (line: string): boolean => external.has(/ -d (\S+)\/(?:32|128) /.exec(line)?.[1] ?? '');
  return input
    .split('\n')
    .filter((line) => line.startsWith('-A ') && isAbout(line))
    .sort();
}

describe('renderIpvs: an address that the outside world sees is not made local', () => {
  const rows: readonly { name: string; address: Addresses }[] = [
    { name: "another node's", address: addresses.otherNode },
    { name: "the API server's", address: { ipv4: '192.0.2.100', ipv6: '2001:db8:1::100' } },
    { name: "the gateway's", address: { ipv4: '192.0.2.254', ipv6: '2001:db8:1::fe' } },
    { name: "the resolver's", address: { ipv4: '192.0.2.53', ipv6: '2001:db8:1::53' } },
    { name: "a pod's gateway's", address: gateways.podA },
    { name: "the node's own", address: addresses.node },
    { name: "nobody's", address: loadBalancerIP(1) },
  ];
  describe.each(ipFamilies)('%s', (family) => {
    test.each(rows)("$name, as the balancer's and as an external IP", ({ address }) => {
      const [spec, pods] = [{ externalIPs: [address.ipv4, address.ipv6] }, ['podA'] as const];
      const config = { externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } };
      for (const service of [{ loadBalancerIP: address, spec: { type: 'LoadBalancer' } }, { spec }]) {
        const state = stateOf(family, [{ name: 'web', clusterIP: clusterIP(1), pods, ...service }], config);
        expect(madeLocal(state).filter((each) => each !== clusterIP(1)[family])).toEqual([]);
        expect(rulesOf(inputsOf(state)['iptables-restore'] ?? '', new Set([address[family]]))).toHaveLength(2);
      }
    });
  });

  test('also among others, in any state of any Services', () => {
    fc.assert(
      fc.property(servicesArbitrary, fc.constantFrom<IPFamily>(...ipFamilies), (services, family) => {
        expect(strangersMadeLocal(stateOf(family, services))).toEqual([]);
      }),
    );
  });

  test.each(scenarios)('also in $name', ({ objects, config }) => {
    for (const family of ipFamilies) expect(strangersMadeLocal(stateOf(family, objects, config))).toEqual([]);
  });
});

function expectSameRules(state: ServiceState): void {
  const { external, cluster } = ofServices(state);
  const only = new Set([...external].filter((address) => !cluster.has(address)));
  expect(rulesOf(inputsOf(state)['iptables-restore'] ?? '', only)).toEqual(rulesOf(renderIptables(state).input, only));
}

/** Of Services' own chains. */
function ownRulesOf(input: string): readonly string[] {
  return input.split('\n').filter((line) => /^-A KUBE-(?:SVC|SVL|EXT|FW|SEP)-/.test(line));
}

describe('renderIpvs: such addresses have the rules of iptables mode', () => {
  test('in any state of any Services', () => {
    fc.assert(
      fc.property(servicesArbitrary, fc.constantFrom<IPFamily>(...ipFamilies), (services, family) =>
        expectSameRules(stateOf(family, services)),
      ),
    );
  });

  test.each(scenarios)('$name', ({ objects, config }) => {
    for (const family of ipFamilies) expectSameRules(stateOf(family, objects, config));
  });

  test("and each of a Service's own chains is iptables mode's, rule for rule", () => {
    fc.assert(
      fc.property(servicesArbitrary, (services) => {
        const state = stateOf('ipv4', services);
        const all = new Set(ownRulesOf(renderIptables(state).input));
        expect(ownRulesOf(inputsOf(state)['iptables-restore'] ?? '').filter((line) => !all.has(line))).toEqual([]);
      }),
    );
  });
});

test('planExternalRules has rules for the chains of the mode alone, and none for a cluster IP', () => {
  fc.assert(
    fc.property(servicesArbitrary, (services) => {
      const state = stateOf('ipv4', services);
      const context = ipvsContext(state, []);
      const chains = new Set(planRules(context).dispatch.map(({ table, name }) => `${table} ${name}`));
      const { cluster } = ofServices(state);
      for (const key of state.keys())
        for (const { dispatch } of planExternalRules(state.ports(key), context, false))
          for (const { table, chain, address } of dispatch) {
            expect(chains).toContain(`${table} ${chain}`);
            expect(cluster).not.toContain(address);
          }
    }),
  );
});
