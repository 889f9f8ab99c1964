/**
 * Whether a resourceVersion is older than another of the same kind; false where either is no decimal number, because
 * nothing is known then.
 *
 * Since Kubernetes 1.35 (KEP-5504) versions of one kind of object may be compared as numbers of any length; before that
 * they are in practice. JavaScript's numbers are exact up to 2^53 alone, so the texts are compared.
 */
export function isOlderVersion(version: string, than: string): boolean {
  if (!decimal.test(version) || !decimal.test(than)) return false;
  return version.length === than.length ? version < than : version.length < than.length;
}

/** As KEP-5504 has it: without a leading zero. */
const decimal = /^(0|[1-9]\d*)$/;
