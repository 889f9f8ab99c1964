/** What programs of `npm run faults` measure, and how it is printed. */

/** What was measured, by what it is called; with its unit. */
export type Figures = Readonly<Record<string, string>>;

/** A load that one must be able to bear. */
export interface Load {
  /** As it is asked for on the command line. */
  readonly name: string;
  /** What is loaded with what, in a line. */
  readonly description: string;
  /**
   * Measures the same on a node or cluster of its own, with or without the load; nothing of it is left. `tell` is for
   * how far it is.
   */
  readonly measure: (isLoaded: boolean, tell: (line: string) => void) => Promise<Figures>;
}

/** A table: a line for each figure, the one without the load beside the one with it. */
export function sideBySide(without: Figures, loaded: Figures): string {
  const names = [...new Set([...Object.keys(without), ...Object.keys(loaded)])];
  const rows = [['', 'without', 'with'], ...names.map((name) => [name, without[name] ?? '-', loaded[name] ?? '-'])];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}
