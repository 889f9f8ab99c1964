/**
 * Reading objects that nobody has validated: every field that is taken is checked, and what is wrong is written
 * down with its path and a remedy instead of being thrown or lost.
 *
 * The API server checks most of this already. Objects also come from files, from older API servers and from people who
 * look for a way into a rule, so nothing is believed here.
 */
import { isRecord } from '../api/isRecord.ts';
import { ownValue } from '../api/ownValue.ts';
import { compact } from './compact.ts';
import { canonicalAddress, canonicalCIDR } from './ipFamily.ts';
import type { Protocol } from './protocol.ts';

/** One thing that is wrong in an object. */
export interface Problem {
  /** e.g. `spec.ports[0].port` */
  readonly field: string;
  /** What is wrong, to be read after the field's name; at most 80 characters of the value are quoted. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy: string;
}

/** What a decoder gives. */
export interface Decoded<Record> {
  /** undefined without problems: not of interest here; undefined with problems: unusable, to be quarantined. */
  readonly record: Record | undefined;
  readonly problems: readonly Problem[];
}

/**
 * A kind of value that a field may hold; `parse` gives its canonical form, or undefined when the value is not of the
 * kind.
 */
export interface Kind<T> {
  /** With its article, for messages. */
  readonly what: string;
  readonly parse: (value: unknown) => T | undefined;
}

const maxQuotedLength = 80;

/** A value inside an object, with its path; all that are made from one object share its list of problems. */
export class Fields {
  readonly #value: unknown;
  readonly #path: string;
  readonly #problems: Problem[];

  constructor(value: unknown, path = '', problems: Problem[] = []) {
    this.#value = value;
    this.#path = path;
    this.#problems = problems;
  }

  /** Those of the whole object, found until now. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** The field of that name; absent where this is no object. */
  at(key: string): Fields {
    return new Fields(this.#ownValue(key), this.#path === '' ? key : `${this.#path}.${key}`, this.#problems);
  }

  /** The label or annotation of that name. */
  entry(key: string): Fields {
    return new Fields(this.#ownValue(key), `${this.#path}[${key}]`, this.#problems);
  }

  /** The elements of a list; a field that is absent has none. What is no list is a problem. */
  items(): readonly Fields[] {
    if (this.isAbsent()) return [];
    if (Array.isArray(this.#value))
      return this.#value.map((item, index) => new Fields(item, `${this.#path}[${index}]`, this.#problems));
    this.reject('is not a list', 'a list');
    return [];
  }

  /** null counts as absent, as on the API server. */
  isAbsent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  /** The value, or undefined when it is absent or wrong; only the latter is a problem. */
  optional<T>(kind: Kind<T>): T | undefined {
    if (this.isAbsent()) return undefined;
    const parsed = kind.parse(this.#value);
    if (parsed === undefined) this.reject(`is ${quoted(this.#value)}, which is not ${kind.what}`, kind.what);
    return parsed;
  }

  /** The value, or undefined when it is absent or wrong; both are problems. */
  required<T>(kind: Kind<T>): T | undefined {
    if (this.isAbsent()) this.reject('is missing', kind.what);
    return this.optional(kind);
  }

  #ownValue(key: string): unknown {
    return isRecord(this.#value) ? ownValue(this.#value, key) : undefined;
  }

  /** Reports a problem with this field: what is wrong, and a value that would be right. */
  reject(message: string, expected: string): void {
    this.#problems.push({ field: this.#path, message, remedy: `set ${this.#path} to ${expected}` });
  }
}

/** JSON keeps quotes, line ends and control characters of a hostile value out of logs. */
function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > maxQuotedLength ? `${text.slice(0, maxQuotedLength)}…` : text;
}

function matching(what: string, pattern: RegExp, maxLength: number): Kind<string> {
  return {
    what,
    parse: (value) =>
      typeof value === 'string' && value.length <= maxLength && pattern.test(value) ? value : undefined,
  };
}

/** A DNS label of RFC 1123, as most names in Kubernetes. */
export const dnsLabel = matching(
  'a DNS label (lower-case letters, digits and "-", at most 63)',
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  63,
);
/** A DNS subdomain of RFC 1123. */
export const dnsSubdomain = matching(
  'a DNS name (lower-case letters, digits, "-" and ".", at most 253)',
  /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/,
  253,
);
/** Ports without a name carry '' in EndpointSlices. */
export const portName = matching('a DNS label or empty', /^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$/, 63);
/** Text that is only ever compared, never written into a rule. */
export const plainText = matching('a text of at most 1024 characters', /^/, 1024);

export const portNumber: Kind<number> = integerBetween(1, 65_535, 'a port from 1 to 65535');
/** Fields in which 0 says "none". */
export const portNumberOrNone: Kind<number> = integerBetween(0, 65_535, 'a port from 1 to 65535');

/** Bounds included. */
export function integerBetween(min: number, max: number, what = `a whole number from ${min} to ${max}`): Kind<number> {
  return {
    what,
    parse: (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max ? value : undefined,
  };
}

/** One of these texts. */
export function oneOf<T extends string>(...choices: readonly T[]): Kind<T> {
  return { what: `one of ${choices.join(', ')}`, parse: (value) => choices.find((choice) => choice === value) };
}

export const protocol: Kind<Protocol> = oneOf('TCP', 'UDP', 'SCTP');
export const flag: Kind<boolean> = {
  what: 'true or false',
  parse: (value) => (typeof value === 'boolean' ? value : undefined),
};
export const ipAddress: Kind<string> = {
  what: 'an IP address',
  parse: (value) => (typeof value === 'string' ? canonicalAddress(value) : undefined),
};
export const cidr: Kind<string> = {
  what: 'a network in CIDR notation',
  parse: (value) => (typeof value === 'string' ? canonicalCIDR(value) : undefined),
};

/** The canonical forms of the values in a list that are of the kind; the others are problems. */
export function listOf<T>(list: Fields, kind: Kind<T>): readonly T[] {
  return compact(list.items().flatMap((item) => item.required(kind) ?? []));
}
