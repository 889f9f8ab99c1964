/**
 * The rules that there are as many of as endpoints: the balancers of one Service port, and what they lead to.
 *
 * Usually each endpoint has a chain of its own, as with kube-proxy. A Service of very many endpoints and ports has
 * compact rules instead: its balancers lead to the endpoints themselves, one rule for each
 * (docs/adr/0018-compact-rules-of-big-services.md).
 */
import { type Endpoint, type ServicePort, servicePortName, socketAddress } from '../../../model/servicePort.ts';
import type { Chain } from '../../../netfilter/xtables/chain.ts';
import type { Match, Rule } from '../../../netfilter/xtables/rule.ts';
import { comment, from, jumpTo, notFrom } from '../../../netfilter/xtables/rule.ts';
import { markMasquerade } from '../kubeChains.ts';
import type { ServicePortChains } from './chainNames.ts';

export interface EndpointRulesShape {
  /** Whether the rules go without comments. */
  readonly commentsOmitted?: boolean;
  /** Whether endpoints have no chains of their own, and rules no comments. */
  readonly isCompact?: boolean;
}

/** A chain that leads to one of some endpoints. */
export interface Balancer {
  readonly chain: string;
  /** At least one. */
  readonly endpoints: readonly Endpoint[];
  /** Rules before those that choose. */
  readonly before: readonly Rule[];
}

interface Subject {
  readonly port: ServicePort;
  readonly chains: ServicePortChains;
  readonly balancers: readonly Balancer[];
}

interface Wording extends Pick<Subject, 'port' | 'chains'> {
  readonly name: string;
  readonly note: (text: string) => readonly Match[];
}

const noNote = (): readonly Match[] => [];
const someNote = (text: string): readonly Match[] => [comment(text)];

/** The balancers and the endpoint chains that they lead to; what is referred to comes first. */
export function planBalancers(
  { port, chains, balancers }: Subject,
  { commentsOmitted = false, isCompact = false }: EndpointRulesShape,
): readonly Chain[] {
  const wording = { port, chains, name: servicePortName(port), note: commentsOmitted || isCompact ? noNote : someNote };
  const withChain = balancers.flatMap(({ endpoints }) => (isCompact ? endpoints.slice(-1) : endpoints));
  const distinct = new Map(withChain.map((endpoint) => [socketAddress(endpoint), endpoint]));
  return [
    ...[...distinct.values()].map((endpoint) => endpointChain(wording, endpoint)),
    ...balancers.map((balancer) => balancerChain(wording, balancer, isCompact)),
  ];
}

/**
 * A pod that reaches itself through its Service must see another source address, else it answers itself past conntrack.
 */
function endpointChain(wording: Wording, endpoint: Endpoint): Chain {
  const { name, note, chains } = wording;
  return {
    table: 'nat',
    name: chains.endpoint(endpoint),
    rules: [
      { matches: [...note(name), from(endpoint.address)], target: jumpTo(markMasquerade) },
      translation(wording, endpoint, { matches: note(name) }),
    ],
  };
}

/** Leads what matches to the endpoint, which is remembered for the client where the Service has affinity. */
function translation(
  { port, chains }: Wording,
  endpoint: Endpoint,
  { matches, isPlain }: { readonly matches: readonly Match[]; readonly isPlain?: boolean },
): Rule {
  const remember: readonly Match[] =
    port.affinityTimeoutSeconds === undefined ? [] : [{ kind: 'rememberSource', list: chains.endpoint(endpoint) }];
  return {
    matches: [...matches, ...remember, { kind: 'protocol', protocol: port.protocol, ...(isPlain && { isPlain }) }],
    target: { kind: 'dnat', to: socketAddress(endpoint) },
  };
}

function balancerChain(wording: Wording, { chain, endpoints, before }: Balancer, isCompact: boolean): Chain {
  const { affinityTimeoutSeconds: seconds } = wording.port;
  const lead = (endpoint: Endpoint, index: number, matches: readonly Match[]): Rule =>
    isCompact && index < endpoints.length - 1
      ? compactLead(wording, endpoint, matches)
      : chainLead(wording, endpoint, matches);
  const remembered = (endpoint: Endpoint, index: number): Rule =>
    lead(endpoint, index, [
      { kind: 'sourceRemembered', list: wording.chains.endpoint(endpoint), seconds: seconds ?? 0 },
    ]);
  // Each rule sees only what the ones before it let pass, so 1/3, 1/2, 1 gives every one of three endpoints a third.
  const share = (endpoint: Endpoint, index: number): Rule => {
    const left = endpoints.length - index;
    return lead(endpoint, index, left === 1 ? [] : [{ kind: 'probability', value: 1 / left }]);
  };
  const choice = [...(seconds === undefined ? [] : endpoints.map(remembered)), ...endpoints.map(share)];
  return { table: 'nat', name: chain, rules: [...before, ...choice] };
}

function chainLead({ name, note, chains }: Wording, endpoint: Endpoint, matches: readonly Match[]): Rule {
  return {
    matches: [...note(`${name} -> ${socketAddress(endpoint)}`), ...matches],
    target: jumpTo(chains.endpoint(endpoint)),
  };
}

/**
 * An endpoint is not led to itself here, where nothing could mark it; the last one of a balancer, which takes whoever is
 * left, has a chain for that. As short as can be: at each change of a table the kernel walks through all of its rules.
 */
function compactLead(wording: Wording, endpoint: Endpoint, matches: readonly Match[]): Rule {
  return translation(wording, endpoint, { matches: [notFrom(endpoint.address), ...matches], isPlain: true });
}
