/**
 * IP families and canonical addresses.
 *
 * Old objects hold addresses such as `172.30.0.041`; Kubernetes reads them as decimal, iptables and nft as octal.
 * Nothing in this project passes an address on that did not come out of `canonicalAddress` or `canonicalCIDR`.
 */
import ipaddr from 'ipaddr.js';

export type IPFamily = 'ipv4' | 'ipv6';
/** In the order in which they are served and shown. */
export const ipFamilies: readonly IPFamily[] = ['ipv4', 'ipv6'];

const decimal = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const canonicalIPv4 = new RegExp(String.raw`^(?:${decimal}\.){3}${decimal}$`);
const dottedDecimal = /^\d{1,3}(\.\d{1,3}){3}$/;

/**
 * The address in its one canonical spelling (RFC 5952 for IPv6), or undefined when the text is no IP address.
 * IPv4-mapped IPv6 becomes IPv4, as in Go's net package.
 */
export function canonicalAddress(text: string): string | undefined {
  if (canonicalIPv4.test(text)) return text;
  if (dottedDecimal.test(text)) {
    const octets = text.split('.').map(Number);
    return octets.every((octet) => octet <= 255) ? octets.join('.') : undefined;
  }
  if (!text.includes(':') || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}

/**
 * The network in canonical spelling with its host bits cleared, or undefined when the text is no CIDR. Blanks around it
 * are dropped.
 */
export function canonicalCIDR(text: string): string | undefined {
  const [address = '', length = '', ...rest] = text.trim().split('/');
  const canonical = canonicalAddress(address);
  if (canonical === undefined || rest.length > 0 || !/^\d{1,3}$/.test(length)) return undefined;
  const bits = familyOf(canonical) === 'ipv4' ? 32 : 128;
  if (Number(length) > bits) return undefined;
  const cidr = `${canonical}/${Number(length)}`;
  const network = bits === 32 ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr);
  return `${canonicalAddress(network.toString()) ?? network.toString()}/${Number(length)}`;
}

/** The family of a canonical address or CIDR; of other text the result means nothing. */
export function familyOf(canonical: string): IPFamily {
  return canonical.includes(':') ? 'ipv6' : 'ipv4';
}

/** Whether a canonical CIDR contains a canonical address; false across families. */
export function cidrContains(cidr: string, address: string): boolean {
  return familyOf(cidr) === familyOf(address) && ipaddr.parse(address).match(ipaddr.parseCIDR(cidr));
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
