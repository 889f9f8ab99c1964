/**
 * Binary search in a sorted list.
 */

/** Index of the first item for which it holds, of a list in which it holds for all after that; else the length. */
export function firstIndex<Item>(list: readonly Item[], isAtOrAfter: (item: Item) => boolean): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const there = list[middle];
    if (there !== undefined && !isAtOrAfter(there)) low = middle + 1;
    else high = middle;
  }
  return low;
}
