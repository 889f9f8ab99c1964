/**
 * CEL as the API server evaluates it in a CRD: the language from a library, Kubernetes' own functions from
 * here.
 *
 * Only the functions that rules of this project use are here; a rule that calls another one is reported as failed, and
 * a test fails.
 */
import { Environment } from '@marcbachmann/cel-js';
import ipaddr from 'ipaddr.js';
import { ipv6Parts } from './ipv6Parts.ts';

/** Whether a value (`self` in CEL) satisfies a rule. */
export type RuleCheck = (rule: string, self: unknown) => boolean;

/** A check that never throws: a rule that cannot be evaluated does not hold, as on the API server. */
export function createRuleCheck(): RuleCheck {
  const environment = kubernetesEnvironment();
  return (rule, self) => {
    try {
      return environment.evaluate(rule, { self: asCelValue(self) }) === true;
    } catch {
      return false;
    }
  };
}

class CIDR {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;
  readonly length: number;
  constructor(address: ipaddr.IPv4 | ipaddr.IPv6, length: number) {
    this.address = address;
    this.length = length;
  }
}
class IP {
  readonly address: ipaddr.IPv4 | ipaddr.IPv6;
  constructor(address: ipaddr.IPv4 | ipaddr.IPv6) {
    this.address = address;
  }
}
class NamedFormat {
  readonly accepts: (text: string) => boolean;
  constructor(accepts: (text: string) => boolean) {
    this.accepts = accepts;
  }
}
/** What `format` stands for in a rule. */
class Formats {
  readonly qualifiedName = new NamedFormat(isQualifiedName);
  readonly labelValue = new NamedFormat((text) => text === '' || labelName.test(text));
}
/** optional(list of messages) in Kubernetes; rules only ask whether there are any. */
class FormatErrors {
  readonly hasErrors: boolean;
  constructor(hasErrors: boolean) {
    this.hasErrors = hasErrors;
  }
}

/**
 * https://kubernetes.io/docs/reference/using-api/cel/#kubernetes-ip-address-library and the CIDR and format libraries
 * below it.
 */
function kubernetesEnvironment(): Environment {
  return new Environment({ homogeneousAggregateLiterals: false })
    .registerVariable('self', 'dyn')
    .registerType('net.IP', IP)
    .registerType('net.CIDR', CIDR)
    .registerType('Formats', Formats)
    .registerType('NamedFormat', NamedFormat)
    .registerType('FormatErrors', FormatErrors)
    .registerConstant('format', 'Formats', new Formats())
    .registerFunction('isIP(string): bool', (text: string) => parseIP(text) !== undefined)
    .registerFunction('ip(string): net.IP', (text: string) => new IP(required(parseIP(text))))
    .registerFunction('net.IP.family(): int', ({ address }: IP) => (address.kind() === 'ipv4' ? 4n : 6n))
    .registerFunction('isCIDR(string): bool', (text: string) => parseCIDR(text) !== undefined)
    .registerFunction('cidr(string): net.CIDR', (text: string) => required(parseCIDR(text)))
    .registerFunction('net.CIDR.ip(): net.IP', ({ address }: CIDR) => new IP(address))
    .registerFunction('net.CIDR.masked(): net.CIDR', masked)
    .registerFunction('string(net.CIDR): string', ({ address, length }: CIDR) => `${textOf(address)}/${length}`)
    .registerFunction('Formats.qualifiedName(): NamedFormat', ({ qualifiedName }: Formats) => qualifiedName)
    .registerFunction('Formats.labelValue(): NamedFormat', ({ labelValue }: Formats) => labelValue)
    .registerFunction(
      'NamedFormat.validate(string): FormatErrors',
      ({ accepts }: NamedFormat, text: string) => new FormatErrors(!accepts(text)),
    )
    .registerFunction('FormatErrors.hasValue(): bool', ({ hasErrors }: FormatErrors) => hasErrors);
}

/** CEL's integers are 64 bits wide: the library has them as bigint. */
function asCelValue(value: unknown): unknown {
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return Array.from(value, asCelValue);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, asCelValue(child)]));
}

/** Strict as Go's netip: no leading zeros beyond four digits, no zone, and neither short IPv4 forms nor IPv4-mapped IPv6. */
function parseIP(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const [, embedded] = /([^:]*\.[^:]*)$/.exec(text) ?? [];
  if (/[\da-f]{5}/i.test(text) || (embedded !== undefined && !ipaddr.IPv4.isValidFourPartDecimal(embedded)))
    return undefined;
  const parts = ipv6Parts(text);
  const address = parts && new ipaddr.IPv6([...parts]);
  return address?.isIPv4MappedAddress() === true ? undefined : address;
}

function parseCIDR(text: string): CIDR | undefined {
  const [, host = '', length = ''] = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const address = parseIP(host);
  return address !== undefined && Number(length) <= address.toByteArray().length * 8
    ? new CIDR(address, Number(length))
    : undefined;
}

function masked({ address, length }: CIDR): CIDR {
  const text = `${address.toString()}/${length}`;
  return new CIDR(
    address.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text),
    length,
  );
}

function textOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  return address instanceof ipaddr.IPv6 ? address.toRFC5952String() : address.toString();
}

const labelName = /^(?=.{1,63}$)[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const subdomain = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

function isQualifiedName(text: string): boolean {
  const [name = '', prefix, ...rest] = text.split('/').toReversed();
  return rest.length === 0 && labelName.test(name) && (prefix === undefined || subdomain.test(prefix));
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('not an address');
  return value;
}
