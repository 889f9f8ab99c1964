/** The first three of some names, and how many more. */
export function short(names: readonly string[]): string {
  const [first, more] = [names.slice(0, 3).join(', '), names.length - 3];
  return more > 0 ? `${first} and ${more} more` : first;
}
