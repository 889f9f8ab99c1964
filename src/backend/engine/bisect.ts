/**
 * Finds out which Services the kernel refuses, where its tools only say that something in a whole transaction was
 * wrong.
 */
import type { ServiceKey } from '../../model/service.ts';

/** More than so many refused Services are not objects gone wrong but a node gone wrong, and not worth the time. */
const maxRefused = 50;

/**
 * The Services that `accepts` refuses alone, `accepts` saying whether some can be written together. Tries halves of
 * halves; each refused Service costs about twice the logarithm of their number in trials. undefined
 * when no single Service is to blame: nothing at all is accepted, every part of what is refused together is accepted
 * alone, or more than 50 are refused. Throws what `accepts` throws.
 */
export async function findRefused(
  keys: readonly ServiceKey[],
  accepts: (some: readonly ServiceKey[]) => Promise<boolean>,
): Promise<readonly ServiceKey[] | undefined> {
  if (!(await accepts([]))) return undefined;
  const refused: ServiceKey[] = [];
  const suspects = [keys];
  for (let some = suspects.pop(); some !== undefined; some = suspects.pop()) {
    if (some.length === 0 || (await accepts(some))) continue;
    if (some.length === 1) refused.push(...some);
    else suspects.push(some.slice(some.length >>> 1), some.slice(0, some.length >>> 1));
    if (refused.length > maxRefused) return undefined;
  }
  return refused.length === 0 ? undefined : refused;
}
