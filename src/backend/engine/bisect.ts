/**
 * Finds out which Services the kernel refuses, where its tools only say that something in a whole transaction was
 * wrong.
 */
import type { ServiceKey } from '../../model/service.ts';

export interface Verdict {
  /** Those that are refused alone. */
  readonly refused: readonly ServiceKey[];
  /** Those of which it is not known: they were in what was refused together when the time was over. */
  readonly untried: readonly ServiceKey[];
}

/** So many that are refused, and nothing that is accepted, are not objects gone wrong but a node gone wrong. */
const maxRefusedOfNone = 50;

/**
 * Tries groups one after the other, and halves of halves of them, `accepts` saying whether some can be written
 * together. Each refused Service costs about twice the logarithm of their number in trials. When `isOverdue` is true no
 * further trial begins, but not before one was found and something was accepted: so each search gets further.
 *
 * Returns undefined when no single Service is to blame: nothing at all is accepted, every part of what is refused
 * together is accepted alone, or more than 50 are refused and none accepted. Throws what `accepts` throws.
 */
export async function findRefused(
  groups: readonly (readonly ServiceKey[])[],
  accepts: (some: readonly ServiceKey[]) => Promise<boolean>,
  isOverdue: () => boolean = () => false,
): Promise<Verdict | undefined> {
  if (!(await accepts([]))) return undefined;
  const refused: ServiceKey[] = [];
  const suspects = groups.toReversed();
  let hasAccepted = false;
  const isEnough = (): boolean => hasAccepted && refused.length > 0 && isOverdue();
  while (suspects.length > 0 && !isEnough()) {
    const some = suspects.pop() ?? [];
    if (some.length === 0) continue;
    if (await accepts(some)) hasAccepted = true;
    else if (some.length === 1) refused.push(...some);
    else suspects.push(...halvesOf(some));
    if (!hasAccepted && refused.length > maxRefusedOfNone) return undefined;
  }
  const untried = suspects.flat();
  return refused.length + untried.length === 0 ? undefined : { refused, untried };
}

/** The first half is to be taken first. */
function halvesOf(some: readonly ServiceKey[]): readonly (readonly ServiceKey[])[] {
  const middle = some.length >>> 1;
  return [some.slice(middle), some.slice(0, middle)];
}
