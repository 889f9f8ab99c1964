/**
 * The eight parts of an IPv6 address, 0 to 65,535, or undefined when the text is none. Takes what ParseIPSloppy of
 * k8s.io/utils/net takes: any number of leading zeros, and an IPv4 address at the end; no zone. A test compares the
 * two.
 *
 * Not by ipaddr.js, which takes `::1.2.3.4` for `::ffff:1.2.3.4`, and refuses a part with a fifth digit.
 */
export function ipv6Parts(text: string): readonly number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, index) => partsOf(half, index === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  // `::` stands for at least one part.
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** The octets of an IPv4 address, leading zeros taken as in decimal numbers; undefined when the text is none. */
export function ipv4Octets(text: string): readonly number[] | undefined {
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^\d+$/.test(octet) && Number(octet) <= 255)) return undefined;
  return octets.map(Number);
}

function partsOf(half: string, isLast: boolean): readonly number[] | undefined {
  if (half === '') return [];
  const words = half.split(':');
  const embedded = isLast && words.at(-1)?.includes('.') ? ipv4Octets(words.pop() ?? '') : [];
  const parts = words.map((word) => (/^[\da-f]+$/i.test(word) ? Number.parseInt(word, 16) : Number.NaN));
  if (embedded === undefined || !parts.every((part) => part <= 0xffff)) return undefined;
  const [a, b, c, d] = embedded;
  return a === undefined || b === undefined || c === undefined || d === undefined
    ? parts
    : [...parts, a * 256 + b, c * 256 + d];
}
