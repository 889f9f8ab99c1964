/** The kernel's configuration as its own files word it: `CONFIG_X=y`, and `# CONFIG_X is not set`. */

/** An option's value by its name; `n` where it is not set. */
function optionsOf(text: string): ReadonlyMap<string, string> {
  const lines = text.matchAll(/^(?:# (CONFIG_\w+) is not set|(CONFIG_\w+)=(.*))$/gm);
  return new Map([...lines].map(([, unset, name = unset ?? '', value = 'n']) => [name, value]));
}

/**
 * What of a fragment does not stand in the configuration that was made of it, a line for each option. The kernel's
 * `make olddefconfig` drops an option without a word where another that it depends on is missing, and sets one that
 * another selects.
 */
export function deviations(fragment: string, configuration: string): readonly string[] {
  const made = optionsOf(configuration);
  return [...optionsOf(fragment)].flatMap(([name, wanted]) => {
    const found = made.get(name) ?? 'n';
    return found === wanted ? [] : [`${name} is ${found} instead of ${wanted}`];
  });
}
