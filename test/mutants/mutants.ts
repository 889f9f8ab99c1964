/**
 * @module The product's decisions, each broken in one place, with the test that must notice.
 */
export interface Mutant {
  /** What the broken product does. */
  readonly name: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly test: string;
  /** Part of the full name of the test that must fail: whatever else fails does not count. */
  readonly killer: string;
}

const endpoints = 'test/model/endpoints.test.ts';
const servicePorts = 'test/model/servicePorts.test.ts';
const decode = 'test/model/decode.test.ts';
const golden = 'test/backend/iptables/golden.test.ts';
const apply = 'test/backend/iptables/apply.test.ts';
const packets = 'test/scenarios/iptables.test.ts';
const emitter = 'test/backend/iptables/rule.test.ts';
const rollout = 'test/operator/rollout.test.ts';
const shares = 'test/scenarios/distribution.test.ts';

const model: readonly Mutant[] = [
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
    name: 'the order in which slices are heard of decides',
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
    find: 'Cap: (asked, configured) => Math.min(asked, configured)',
    replace: 'Cap: (_asked, configured) => configured',
    test: servicePorts,
    killer: 'affinity timeout Cap: asked 30, configured 60 -> 30',
  },
  {
    name: 'ReplaceDefault replaces any time-out',
    file: 'src/model/servicePorts.ts',
    find: '(asked === defaultAffinityTimeoutSeconds ? configured : asked)',
    replace: '(asked > 0 ? configured : asked)',
    test: servicePorts,
    killer: 'affinity timeout ReplaceDefault: asked 10799, configured 60 -> 10799',
  },
  {
    name: 'leading zeros are kept, which iptables reads as octal',
    file: 'src/model/ipFamily.ts',
    find: "octets.join('.') : undefined",
    replace: 'text : undefined',
    test: 'test/model',
    killer: 'addresses 010.0.0.010 -> 10.0.0.10',
  },
  {
    name: 'an IPv4 address with a large octet is taken',
    file: 'src/model/ipFamily.ts',
    find: 'octet <= 255',
    replace: 'octet <= 999',
    test: 'test/model',
    killer: 'addresses 10.0.0.256 -> undefined',
  },
  {
    name: 'a Service for another proxy is served',
    file: 'src/model/decodeService.ts',
    find: "labels.entry('service.kubernetes.io/service-proxy-name').isAbsent()",
    replace: "labels.entry('service.kubernetes.io/other-name').isAbsent()",
    test: decode,
    killer: "another proxy's: not served, and no problem",
  },
];

const plan: readonly Mutant[] = [
  {
    name: 'every endpoint gets 1/n of what is left',
    file: 'src/backend/iptables/fragment.ts',
    find: 'value: 1 / left',
    replace: 'value: 1 / endpoints.length',
    test: golden,
    killer: 'three replicas',
  },
  {
    name: 'the first of several endpoints is preferred',
    file: 'src/backend/iptables/fragment.ts',
    find: 'const left = endpoints.length - index;',
    replace: 'const left = Math.max(1, endpoints.length - index - (endpoints.length > 2 && index === 0 ? 1 : 0));',
    test: shares,
    killer: 'equal shares, iptables Nft, ipv4 3 endpoints',
  },
  {
    name: 'TCP over IPv6 is not refused by a reset',
    file: 'src/backend/iptables/fragment.ts',
    find: "context.family === 'ipv6' && port.protocol === 'TCP'",
    replace: "context.loopback === '' && port.protocol === 'TCP'",
    test: golden,
    killer: 'endpoints and their conditions',
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
  {
    name: 'pods of other nodes are known by the CIDR of this one',
    file: 'src/backend/shared/context.ts',
    find: 'NodeCIDR: (_detector, node, family) => fromNetwork(node.podCIDRs, family)',
    replace: "NodeCIDR: (_detector, _node, family) => fromNetwork(['10.244.0.0/16', 'fd00:10:244::/48'], family)",
    test: packets,
    killer: "iptables Nft ipv4 pods known by the node's CIDR a pod of another node is a stranger, from pod elsewhere",
  },
  {
    name: 'the node is not let in where its address is named',
    file: 'src/backend/iptables/fragment.ts',
    find: '...ranges.map(allow),',
    replace: '...ranges.slice(1).map(allow),',
    test: packets,
    killer: 'iptables Nft ipv4 source ranges that name single hosts the node is let in where it is named',
  },
  {
    name: 'a pod that reaches itself is not masqueraded',
    file: 'src/backend/iptables/fragment.ts',
    find: '{ matches: [...note(name), from(endpoint.address)], target: jumpTo(markMasquerade) },',
    replace: '',
    test: packets,
    killer: 'iptables Nft ipv4 hairpin and masquerade a pod reaches itself through its Service',
  },
  {
    name: 'traffic is dropped where it must be refused',
    file: 'src/backend/iptables/fragment.ts',
    find: "byReset ? 'resetTcp' : 'REJECT'",
    replace: "byReset ? 'resetTcp' : 'DROP'",
    test: packets,
    killer: 'iptables Nft ipv4 endpoints and their conditions ClusterIP without endpoints, from a pod',
  },
  {
    name: 'external traffic is not masqueraded',
    file: 'src/backend/iptables/fragment.ts',
    find: "[rule('masquerade traffic', [], markMasquerade)]",
    replace: '[]',
    test: packets,
    killer: 'iptables Nft ipv4 three replicas client to NodePort',
  },
  {
    name: 'internal policy Local uses every endpoint',
    file: 'src/backend/iptables/fragment.ts',
    find: 'internalChain: chainFor(port.internalTrafficPolicy)',
    replace: "internalChain: chainFor('Cluster')",
    test: packets,
    killer: 'iptables Nft ipv4 internal traffic policy Local only endpoints of the node',
  },
  {
    name: 'external policy Local uses every endpoint',
    file: 'src/backend/iptables/fragment.ts',
    find: 'externalChain: chainFor(port.externalTrafficPolicy)',
    replace: "externalChain: chainFor('Cluster')",
    test: packets,
    killer: 'iptables Nft ipv4 external traffic policy Local the client keeps its address',
  },
  {
    name: 'a client is not remembered',
    file: 'src/backend/iptables/fragment.ts',
    find: "[{ kind: 'rememberSource', list: chain }]",
    replace: '[]',
    test: packets,
    killer: 'iptables Nft ipv4 session affinity one pod for a client of the NodePort',
  },
  {
    name: 'source ranges do not keep others out',
    file: 'src/backend/iptables/fragment.ts',
    find: "frontend(subject, address), { kind: 'DROP' }",
    replace: "frontend(subject, address), { kind: 'ACCEPT' }",
    test: packets,
    killer: 'iptables Nft ipv4 source ranges that name single hosts who is not does not reach the node itself there',
  },
  {
    name: 'pods are masqueraded in place of strangers',
    file: 'src/backend/iptables/fragment.ts',
    find: '[context.podTraffic.isNotPod]',
    replace: '[context.podTraffic.isPod]',
    test: golden,
    killer: 'pods known by the cluster CIDR',
  },
  {
    name: 'masquerade.all is ignored',
    file: 'src/backend/iptables/fragment.ts',
    find: 'context.masqueradeAll || context.podTraffic === undefined ? []',
    replace: 'context.podTraffic === undefined ? []',
    test: golden,
    killer: 'everything masqueraded',
  },
  {
    name: 'NodePorts answer on loopback',
    file: 'src/backend/iptables/fixed.ts',
    find: 'leadToNodePorts(localDestination, notTo(loopback))',
    replace: '(loopback, leadToNodePorts(localDestination))',
    test: golden,
    killer: 'a node without Services, ipv4',
  },
  {
    name: 'another masquerade bit is used',
    file: 'src/backend/shared/context.ts',
    find: '2 ** config.masquerade.bit',
    replace: '2 ** (config.masquerade.bit + 1)',
    test: golden,
    killer: 'another masquerade bit',
  },
  {
    name: 'invalid packets are let through',
    file: 'src/backend/iptables/fixed.ts',
    find: '(tcpBeLiberal ? [] : [dropInvalid])',
    replace: '(tcpBeLiberal ? [dropInvalid] : [])',
    test: golden,
    killer: 'a node without Services, ipv4',
  },
];

const kernel: readonly Mutant[] = [
  {
    name: 'chains of a Service that is gone stay',
    file: 'src/backend/iptables/ledger.ts',
    find: '    .filter(({ name }) => !kept.has(name))',
    replace: '    .filter(({ name }) => kept.has(name) && !kept.has(name))',
    test: apply,
    killer: 'changes one after the other lead to the rules, counts and hash of a fresh start',
  },
  {
    name: 'every chain of a changed Service is rewritten',
    file: 'src/backend/iptables/ledger.ts',
    find: 'known.get(name) !== digest',
    replace: 'known.get(name) !== undefined || digest > 0n',
    test: apply,
    killer: 'cost follows the change no more at 10,000 Services than at a few',
  },
  {
    name: 'a new rule is put one place too late',
    file: 'src/backend/iptables/ledger.ts',
    find: 'return index + 1;',
    replace: 'return index + 2;',
    test: apply,
    killer: 'changes one after the other lead to the rules, counts and hash of a fresh start',
  },
  {
    name: 'a restore that does nothing is believed',
    file: 'src/backend/iptables/apply.ts',
    find: "if (difference !== undefined) throw verificationFailed('iptables-restore'",
    replace: "if (difference === '') throw verificationFailed('iptables-restore'",
    test: 'test/backend/iptables/kernel.test.ts',
    killer:
      'iptables nft tools that are not what they should be an iptables-restore that does nothing and exits with 0 is found out',
  },
  {
    name: 'a rule in the place of one of ours is not noticed',
    file: 'src/backend/iptables/chainTexts.ts',
    find: 'return !isOurs && !includes',
    replace: 'return isOurs && !includes',
    test: 'test/backend/iptables/kernel.test.ts',
    killer: 'iptables nft drift another rule in the place of one of ours is seen and repaired',
  },
  {
    name: 'any text may be a comment',
    file: 'src/backend/shared/rule.ts',
    find: "token('comment', new RegExp(",
    replace: "token('comment', new RegExp('') ?? new RegExp(",
    test: emitter,
    killer: 'never printed a line end in a comment',
  },
];

const ipvsGolden = 'test/backend/ipvs/golden.test.ts';
const ipvsLedger = 'test/backend/ipvs/ledger.test.ts';

const ipvs: readonly Mutant[] = [
  {
    name: 'ipvs: a client is not remembered',
    file: 'src/backend/ipvs/fragment.ts',
    find: 'persistenceSeconds: port.affinityTimeoutSeconds',
    replace: 'persistenceSeconds: undefined',
    test: ipvsGolden,
    killer: 'session affinity from everywhere',
  },
  {
    name: 'ipvs: external policy Local without an endpoint here lets strangers in',
    file: 'src/backend/ipvs/fragment.ts',
    find: 'lacksExternal: externalLocal && hasEndpoints && !hasLocal',
    replace: 'lacksExternal: externalLocal && hasEndpoints && !hasLocal && port.port < 0',
    test: ipvsGolden,
    killer: 'external traffic policy Local',
  },
  {
    name: 'ipvs: pods of other nodes are masqueraded as if they reached themselves here',
    file: 'src/backend/ipvs/fragment.ts',
    find: 'filter(({ isLocal }) => isLocal);',
    replace: 'filter(({ isLocal }) => isLocal || port > 0);',
    test: ipvsGolden,
    killer: 'a pod that asks itself',
  },
  {
    name: "ipvs: an address of the node's own goes onto kube-ipvs0",
    file: 'src/backend/ipvs/fragment.ts',
    find: 'virtual.filter((address) => !context.localAddresses.has(address))',
    replace: 'virtual',
    test: ipvsLedger,
    killer: "an address of the node's own never goes onto kube-ipvs0",
  },
  {
    name: 'ipvs: UDP real servers drain',
    file: 'src/backend/ipvs/virtualServer.ts',
    find: "return name.startsWith('-t ');",
    replace: "return name !== '';",
    test: ipvsLedger,
    killer: 'real servers leave UDP: at once',
  },
  {
    name: 'ipvs: a TCP real server goes at once',
    file: 'src/backend/ipvs/ledger.ts',
    find: 'if (!endsConnections(real.server) || present?.masquerading !== true)',
    replace: 'if (present !== undefined)',
    test: ipvsLedger,
    killer: 'real servers leave TCP: weight 0 until the last connection has ended',
  },
  {
    name: 'ipvs: virtual servers of others go',
    file: 'src/backend/ipvs/ledger.ts',
    find: 'if (!this.#isExcluded(name)) changes.servers.removed.push(name);',
    replace: 'changes.servers.removed.push(name);',
    test: ipvsLedger,
    killer: 'virtual servers that no Service wants go, but those in excludeCIDRs stay',
  },
  {
    name: 'ipvs: an address loses its guard before it goes',
    file: 'src/backend/ipvs/changes.ts',
    find: 'setsAfter: addresses.removed.map(',
    replace: 'setsAfter: addresses.added.map(',
    test: ipvsLedger,
    killer: 'one UDP port goes at once: the address before its guard, the virtual server last',
  },
  {
    name: 'ipvs: a full set stays as it is',
    file: 'src/backend/ipvs/setKeeper.ts',
    find: 'most <= present.maxElements) return false;',
    replace: 'most < Infinity) return false;',
    test: ipvsLedger,
    killer: 'a full set is replaced by a larger one',
  },
];

const orchestration: readonly Mutant[] = [
  {
    name: 'a list without an object of ours deletes nothing',
    file: 'src/kube/reflector.ts',
    find: 'if (!seen.has(key)) this.#drop(key);',
    replace: 'if (seen.has(key) && !seen.has(key)) this.#drop(key);',
    test: 'test/kube/reflector.test.ts',
    killer: 'a DELETE that was missed is found by the list after a 410',
  },
  {
    name: 'a new object of the same name is taken for the old one',
    file: 'src/kube/reflector.ts',
    find: 'if (known !== undefined && uidOf(known) !== uid) this.#drop(key);',
    replace: '',
    test: 'test/kube/reflector.test.ts',
    killer: 'an object made anew under the same name is a delete and an add',
  },
  {
    name: '410 Gone does not lead to a new list',
    file: 'src/kube/reflector.ts',
    find: 'isGone(error) || error instanceof HistoryWentBack) this',
    replace: 'error instanceof HistoryWentBack) this',
    test: 'test/kube/reflector.test.ts',
    killer: 'a DELETE that was missed is found by the list after a 410',
  },
  {
    name: 'rules are written before everything is known',
    file: 'src/agent/agent.ts',
    find: '    await this.#watch.synced;\n',
    replace: '',
    test: 'test/agent/start.test.ts',
    killer: 'nothing is written before',
  },
  {
    name: 'a refused configuration takes the one in force away',
    file: 'src/agent/governor.ts',
    find: 'if (dataplane.status.accepted === undefined) await this.#fallBack();',
    replace: 'await this.#accept(builtIn());',
    test: 'test/agent/governor.test.ts',
    killer: 'a mode that is refused later changes nothing: the previous configuration goes on serving',
  },
  {
    name: 'rules that are not there are written again at once, for ever',
    file: 'src/agent/syncLoop.ts',
    find: "this.#heardLoss && error?.reason === 'VerificationFailed' && failures <= mostHastyRetries",
    replace: "error?.reason === 'VerificationFailed'",
    test: 'test/agent/syncLoop.test.ts',
    killer: 'somebody who flushes all the time gets pauses in the end',
  },
  {
    name: 'the younger ProxyConfig wins a tie',
    file: 'src/api/resolvePolicy.ts',
    find: "compare(one.metadata.creationTimestamp ?? '9999', other.metadata.creationTimestamp ?? '9999')",
    replace: "compare(other.metadata.creationTimestamp ?? '9999', one.metadata.creationTimestamp ?? '9999')",
    test: 'test/api/resolvePolicy.test.ts',
    killer: 'the older of equal priority',
  },
  {
    name: 'the lower priority wins',
    file: 'src/api/resolvePolicy.ts',
    find: 'other.spec.priority - one.spec.priority',
    replace: 'one.spec.priority - other.spec.priority',
    test: 'test/api/resolvePolicy.test.ts',
    killer: 'the higher priority, however young',
  },
  {
    name: 'a Windows node is governed',
    file: 'src/api/resolvePolicy.ts',
    find: "(nodeLabels['kubernetes.io/os'] ?? 'linux') === 'linux' && matches",
    replace: 'matches',
    test: 'test/api/resolvePolicy.test.ts',
    killer: 'nobody governs a Windows node',
  },
  {
    name: 'an answer to an earlier spec counts',
    file: 'src/operator/nodeOutcome.ts',
    find: '(status?.observedGeneration ?? -1) >= (metadata.generation ?? 0)',
    replace: '(metadata.generation ?? 0) >= 0 || status === undefined',
    test: 'test/operator/aggregateStatus.test.ts',
    killer: 'an answer to an earlier spec, although its revision is the right one',
  },
];

const rollouts: readonly Mutant[] = [
  {
    name: 'one node more than maxUnavailable is changed',
    file: 'src/operator/rollout.ts',
    find: 'rollout.maxUnavailable, outcomes.length);',
    replace: 'rollout.maxUnavailable, outcomes.length) + 1;',
    test: rollout,
    killer: 'the course of a rollout one at a time',
  },
  {
    name: 'a percentage of nodes is rounded down',
    file: 'src/operator/rolloutState.ts',
    find: 'Math.ceil((Number.parseInt(value, 10)',
    replace: 'Math.floor((Number.parseInt(value, 10)',
    test: rollout,
    killer: 'the course of a rollout as many at a time as may be unavailable',
  },
  {
    name: 'nodes are changed although the ProxyConfig is paused',
    file: 'src/operator/rollout.ts',
    find: 'if (config.spec.paused) return',
    replace: "if (config.spec.paused && rollout.state === 'Idle') return",
    test: rollout,
    killer: 'what a node is told a change while paused',
  },
  {
    name: 'a revision that was rolled back is tried again by itself',
    file: 'src/operator/rolloutTransitions.ts',
    find: 'hasGivenUp && observedGeneration',
    replace: 'hasGivenUp || observedGeneration',
    test: rollout,
    killer: 'a rolled-back change is tried again after a change of spec, and not before',
  },
  {
    name: 'a node that becomes NotReady counts as failed',
    file: 'src/operator/rolloutState.ts',
    find: "return reachable && belongs && phase === 'Failed' && told === revision;",
    replace: "return belongs && (!reachable || phase === 'Failed') && told === revision;",
    test: rollout,
    killer: 'a node that becomes NotReady with the new revision has not failed',
  },
  {
    name: 'a node out of reach is free to be lost',
    file: 'src/operator/rollout.ts',
    find: "return outcome.reachable && outcome.phase === 'Ready'",
    replace: "return outcome.phase === 'Ready'",
    test: rollout,
    killer: 'a node out of reach takes its share of the budget',
  },
  {
    name: 'a node is done before minReadySeconds',
    file: 'src/operator/rolloutState.ts',
    find: 'minReadySeconds * 1000;\n}\n\n/** Nodes',
    replace: 'minReadySeconds;\n}\n\n/** Nodes',
    test: rollout,
    killer: 'the next one only after minReadySeconds',
  },
];

export const mutants: readonly Mutant[] = [...model, ...plan, ...kernel, ...ipvs, ...orchestration, ...rollouts];
