/** @module Mutants of virtual servers, real servers, addresses and sets of the ipvs mode. */
import type { Mutant } from './mutant.ts';

const ipvsGolden = 'test/backend/ipvs/golden.test.ts';
const ipvsLedger = 'test/backend/ipvs/desiredState.test.ts';
const external = 'test/backend/ipvs/externalAddresses.test.ts';

export const ipvsMutants: readonly Mutant[] = [
  {
    name: 'ipvs: a client is not remembered',
    file: 'src/backend/ipvs/plan/servicePortObjects.ts',
    find: 'persistenceSeconds: port.affinityTimeoutSeconds',
    replace: 'persistenceSeconds: undefined',
    test: ipvsGolden,
    killer: 'session affinity from everywhere',
  },
  {
    name: 'ipvs: external policy Local without an endpoint here lets strangers in',
    file: 'src/backend/ipvs/plan/servicePortObjects.ts',
    find: 'lacksExternal: externalLocal && hasEndpoints && !hasLocal',
    replace: 'lacksExternal: externalLocal && hasEndpoints && !hasLocal && port.port < 0',
    test: ipvsGolden,
    killer: 'external traffic policy Local',
  },
  {
    name: 'ipvs: pods of other nodes are masqueraded as if they reached themselves here',
    file: 'src/backend/ipvs/plan/servicePortObjects.ts',
    find: 'filter(({ isLocal }) => isLocal);',
    replace: 'filter(({ isLocal }) => isLocal || port > 0);',
    test: ipvsGolden,
    killer: 'a pod that asks itself',
  },
  {
    name: 'ipvs: a cluster IP that another device has goes onto kube-ipvs0',
    file: 'src/backend/ipvs/plan/servicePortObjects.ts',
    find: '.filter((address) => !context.localAddresses.has(address))',
    replace: '',
    test: ipvsLedger,
    killer: 'a cluster IP that another device has never goes onto kube-ipvs0',
  },
  {
    name: 'ipvs: a load balancer IP becomes local',
    file: 'src/backend/ipvs/plan/servicePortObjects.ts',
    find: 'addresses: [port.clusterIP].filter(',
    replace: 'addresses: [port.clusterIP, ...port.loadBalancerIPs].filter(',
    test: external,
    killer: "another node's, as the balancer's and as an external IP",
  },
  {
    name: 'ipvs: an external address has no rules',
    file: 'src/backend/ipvs/plan/externalRules.ts',
    find: 'return address !== undefined && address !== clusterIP;',
    replace: "return address === undefined && clusterIP === '';",
    test: external,
    killer: 'such addresses have the rules of iptables mode in any state of any Services',
  },
  {
    name: 'ipvs: rules of other frontends are written as well',
    file: 'src/backend/ipvs/plan/externalRules.ts',
    find: 'address !== undefined && address !== clusterIP;',
    replace: 'address !== clusterIP;',
    test: external,
    killer: 'has rules for the chains of the mode alone',
  },
  {
    name: 'ipvs: rules that serve are taken for those of another mode',
    file: 'src/backend/ipvs/plan/owned.ts',
    find: '[nodePort, formerBalancer].some(',
    replace: '[formerBalancer].some(',
    test: 'test/backend/registry.test.ts',
    killer: 'sees in the tables that mode ipvs serves, and no other, ipv4',
  },
  {
    name: 'ipvs: UDP real servers drain',
    file: 'src/netfilter/ipvs/virtualServer.ts',
    find: "return name.startsWith('-t ');",
    replace: "return name !== '';",
    test: ipvsLedger,
    killer: 'real servers leave UDP: at once',
  },
  {
    name: 'ipvs: a TCP real server goes at once',
    file: 'src/backend/ipvs/plan/desiredState.ts',
    find: 'if (!endsConnections(real.server) || existing?.masquerading !== true)',
    replace: 'if (existing !== undefined)',
    test: ipvsLedger,
    killer: 'real servers leave TCP: weight 0 until the last connection has ended',
  },
  {
    name: 'ipvs: virtual servers of others go',
    file: 'src/backend/ipvs/plan/desiredState.ts',
    find: 'if (!this.#isExcluded(name)) changes.servers.removed.push(name);',
    replace: 'changes.servers.removed.push(name);',
    test: ipvsLedger,
    killer: 'virtual servers that no Service wants go, but those in excludeCIDRs stay',
  },
  {
    name: 'ipvs: an address loses its entry in KUBE-IPVS-IPS before it goes',
    file: 'src/backend/ipvs/plan/changeSet.ts',
    find: 'setsAfter: addresses.removed.map(',
    replace: 'setsAfter: addresses.added.map(',
    test: ipvsLedger,
    killer: 'one UDP port goes at once: the address before its entry in KUBE-IPVS-IPS, the virtual server last',
  },
  {
    name: 'ipvs: a full set stays as it is',
    file: 'src/backend/ipvs/plan/desiredSets.ts',
    find: 'needed <= existing.maxElements) return false;',
    replace: 'needed < Infinity) return false;',
    test: ipvsLedger,
    killer: 'a full set is replaced by a larger one',
  },
];
