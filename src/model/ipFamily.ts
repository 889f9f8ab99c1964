/**
 * IP families and canonical addresses.
 *
 * Old objects hold addresses such as `172.30.0.041`; Kubernetes reads them as decimal, iptables and nft as octal.
 * Nothing in this project passes an address on that did not come out of `canonicalAddress` or `canonicalCIDR`.
 */
import ipaddr from 'ipaddr.js';
import { ipv4Octets, ipv6Parts } from '../api/ipv6Parts.ts';

export type IPFamily = 'ipv4' | 'ipv6';
/** In the order in which they are served and shown. */
export const ipFamilies: readonly IPFamily[] = ['ipv4', 'ipv6'];

const decimal = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const canonicalIPv4 = new RegExp(String.raw`^(?:${decimal}\.){3}${decimal}$`);
/**
 * The address in its one canonical spelling (RFC 5952 for IPv6), or undefined when the text is no IP address.
 * IPv4-mapped IPv6 becomes IPv4. Texts are read and spelled as ParseIPSloppy of k8s.io/utils/net and Go's net.IP do.
 */
export function canonicalAddress(text: string): string | undefined {
  if (canonicalIPv4.test(text)) return text;
  const octets = ipv4Octets(text);
  if (octets !== undefined) return octets.join('.');
  const parts = ipv6Parts(text);
  return parts === undefined ? undefined : spelled(new ipaddr.IPv6([...parts]));
}

/**
 * The network in canonical spelling with its host bits cleared, or undefined when the text is no CIDR. Read as by
 * ParseCIDRSloppy of k8s.io/utils/net; blanks around it are dropped.
 */
export function canonicalCIDR(text: string): string | undefined {
  const [address = '', length = '', ...rest] = withoutBlanks(text).split('/');
  if (rest.length > 0 || !/^\d+$/.test(length)) return undefined;
  const bits = Number(length);
  const octets = ipv4Octets(address);
  if (octets !== undefined && bits > 32) return undefined;
  if (octets !== undefined) {
    const network = ipaddr.IPv4.networkAddressFromCIDR(`${octets.join('.')}/${bits}`);
    return `${network.toString()}/${bits}`;
  }
  const parts = ipv6Parts(address);
  if (parts === undefined || bits > 128) return undefined;
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${new ipaddr.IPv6([...parts]).toNormalizedString()}/${bits}`);
  return `${spelled(network)}/${network.isIPv4MappedAddress() ? bits - 96 : bits}`;
}

const blank = /^\p{White_Space}$/u;

/** Drops what Go's strings.TrimSpace does, which is not what String.trim does; one pass, however many there are. */
function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && blank.test(text.charAt(start))) start += 1;
  while (end > start && blank.test(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function spelled(address: ipaddr.IPv6): string {
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/** The family of a canonical address or CIDR; of other text the result means nothing. */
export function familyOf(canonical: string): IPFamily {
  return canonical.includes(':') ? 'ipv6' : 'ipv4';
}

/** Whether a canonical CIDR contains a canonical address; false across families. */
export function cidrContains(cidr: string, address: string): boolean {
  return familyOf(cidr) === familyOf(address) && ipaddr.parse(address).match(ipaddr.parseCIDR(cidr));
}

/** As `cidrContains`, for any of the CIDRs, which are read once: of 10,000 addresses that is half of the time. */
export function containsAddress(cidrs: readonly string[]): (address: string) => boolean {
  const networks = cidrs.map((cidr) => ({ family: familyOf(cidr), network: ipaddr.parseCIDR(cidr) }));
  if (networks.length === 0) return () => false;
  return (address) => {
    const [family, parsed] = [familyOf(address), ipaddr.parse(address)];
    return networks.some((each) => each.family === family && parsed.match(each.network));
  };
}

/** Whether two canonical CIDRs, or addresses, have an address in common; false across families. */
export function cidrsOverlap(one: string, other: string): boolean {
  return beginsIn(one, other) || beginsIn(other, one);
}

function beginsIn(outer: string, inner: string): boolean {
  return outer.includes('/') ? cidrContains(outer, inner.split('/')[0] ?? '') : outer === inner;
}

const forbiddenRanges: ReadonlySet<string> = new Set([
  'unspecified',
  'loopback',
  'linkLocal',
  'multicast',
  'broadcast',
]);

/**
 * Whether a Service may lead to a canonical address: not to loopback or link-local ones, which would open the node's
 * own services (CVE-2021-25737).
 */
export function isEndpointAddress(address: string): boolean {
  return !forbiddenRanges.has(ipaddr.parse(address).range());
}
