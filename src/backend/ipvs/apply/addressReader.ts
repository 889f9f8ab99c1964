/**
 * The node's addresses, read from `ip addr show`.
 */
import { canonicalAddress, familyOf, type IPFamily } from '../../../model/ipFamily.ts';
import { isServiceDevice, needsDevice } from '../../../model/nodeAddresses.ts';

/** Of `ip addr show`: a device's line, then one for each of its addresses. */
export class AddressReader {
  readonly own = new Set<string>();
  readonly others: string[] = [];
  hasDevice = false;
  readonly #family: IPFamily;
  #device = '';

  constructor(family: IPFamily) {
    this.#family = family;
  }

  read(line: string): void {
    this.#device = /^\d+: ([^:@]+)/.exec(line)?.[1] ?? this.#device;
    this.hasDevice ||= isServiceDevice(this.#device);
    const [, text = '', scope] = /^\s+inet6? ([0-9a-f.:]+).* scope (\S+)/.exec(line) ?? [];
    const address = canonicalAddress(text);
    if (address === undefined || familyOf(address) !== this.#family || scope === 'host' || needsDevice(address)) return;
    if (isServiceDevice(this.#device)) this.own.add(address);
    else this.others.push(address);
  }
}
