/** @module Mutants of what a node serves: Services decoded, endpoints chosen, addresses read. */
import type { Mutant } from './mutant.ts';

const endpoints = 'test/model/endpoints.test.ts';
const servicePorts = 'test/model/servicePorts.test.ts';
const decodeService = 'test/model/decodeService.test.ts';
const packets = 'test/scenarios/iptables.test.ts';

export const modelMutants: readonly Mutant[] = [
  {
    name: 'terminating endpoints count as ready',
    file: 'src/model/endpoints.ts',
    find: 'candidates.filter((endpoint) => endpoint.ready);',
    replace: 'candidates.filter((endpoint) => endpoint.ready || endpoint.terminating);',
    test: endpoints,
    killer: 'leaving ones beside ready ones are not used',
  },
  {
    name: 'no fall-back to terminating endpoints',
    file: 'src/model/endpoints.ts',
    find: 'withinTopology(ready, place) : candidates.filter(isTerminatingFallback)',
    replace: 'withinTopology(ready, place) : []',
    test: endpoints,
    killer: 'only leaving ones: those that still serve',
  },
  {
    name: 'endpoints that no longer serve are a fall-back',
    file: 'src/model/endpoints.ts',
    find: 'return endpoint.serving && endpoint.terminating;',
    replace: 'return endpoint.terminating;',
    test: endpoints,
    killer: 'only leaving ones: those that still serve',
  },
  {
    name: 'zone hints are ignored',
    file: 'src/model/endpoints.ts',
    find: 'hinted(ready, place.zone, (endpoint) => endpoint.zoneHints) ??',
    replace: '',
    test: endpoints,
    killer: 'zone hints keep to the zone',
  },
  {
    name: 'the order in which slices are observed decides',
    file: 'src/model/endpoints.ts',
    find: '[...slices].sort(byName)',
    replace: '[...slices]',
    test: endpoints,
    killer: 'what two slices say of one endpoint does not depend on who comes first: else the first slice by name',
  },
  {
    name: 'a slice that says gone wins over one that says leaving',
    file: 'src/model/endpoints.ts',
    find: 'return isTerminatingFallback(endpoint) ? 1 : 0;',
    replace: 'return 0;',
    test: endpoints,
    killer: 'what two slices say of one endpoint does not depend on who comes first: leaving before gone',
  },
  {
    name: 'hints are followed though one endpoint has none',
    file: 'src/model/endpoints.ts',
    find: ' || ready.some((endpoint) => hints(endpoint).length === 0)',
    replace: '',
    test: endpoints,
    killer: 'one without a hint: hints are not followed',
  },
  {
    name: 'slices are matched by protocol alone',
    file: 'src/model/endpoints.ts',
    find: 'each.name === port.name && each.protocol',
    replace: 'each.protocol',
    test: 'test/model',
    killer: 'a slice is matched by the name and the protocol of its port, and by its family',
  },
  {
    name: 'every endpoint is local',
    file: 'src/model/endpoints.ts',
    find: 'endpoint.nodeName === place.name;',
    replace: "endpoint.nodeName !== '';",
    test: endpoints,
    killer: 'ready ones, of which some are local',
  },
  {
    name: 'every external IP is served',
    file: 'src/model/servicePorts.ts',
    find: 'externalIPs.filter((address) => allowed.some((cidr) => cidrContains(cidr, address)))',
    replace: '(allowed, externalIPs)',
    test: servicePorts,
    killer: 'external IPs are not served unless the configuration allows them',
  },
  {
    name: 'Cap lengthens affinity time-outs',
    file: 'src/model/servicePorts.ts',
    find: 'Cap: (requested, configured) => Math.min(requested, configured)',
    replace: 'Cap: (_requested, configured) => configured',
    test: servicePorts,
    killer: 'affinityTimeout Cap: asked 30, configured 60 -> 30',
  },
  {
    name: 'ReplaceDefault replaces any time-out',
    file: 'src/model/servicePorts.ts',
    find: '(requested === defaultAffinityTimeoutSeconds ? configured : requested)',
    replace: '(requested > 0 ? configured : requested)',
    test: servicePorts,
    killer: 'affinityTimeout ReplaceDefault: asked 10799, configured 60 -> 10799',
  },
  {
    name: 'leading zeros are kept, which iptables reads as octal',
    file: 'src/model/ipFamily.ts',
    find: "octets.join('.') : undefined",
    replace: 'text : undefined',
    test: 'test/model',
    killer: 'canonicalAddress 010.0.0.010 -> 10.0.0.10',
  },
  {
    name: 'an IPv4 address with a large octet is taken',
    file: 'src/model/ipFamily.ts',
    find: 'octet <= 255',
    replace: 'octet <= 999',
    test: 'test/model',
    killer: 'canonicalAddress 10.0.0.256 -> undefined',
  },
  {
    name: 'a Service for another proxy is served',
    file: 'src/model/decodeService.ts',
    find: "labels.entry('service.kubernetes.io/service-proxy-name').isAbsent()",
    replace: "labels.entry('service.kubernetes.io/other-name').isAbsent()",
    test: decodeService,
    killer: "another proxy's: not served, and no problem",
  },
  {
    name: 'a load balancer that must see packets itself is passed by',
    file: 'src/model/decodeService.ts',
    find: "!== 'Proxy')",
    replace: '!== undefined)',
    test: packets,
    killer:
      'iptables Nft ipv4 a load balancer that must see the packets itself its address is left to it, from outside client',
  },
];
