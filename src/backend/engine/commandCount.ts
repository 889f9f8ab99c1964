/**
 * What one sync sends to the kernel's tools, counted for its SyncResult where it happens.
 */
export class CommandCount {
  #lines = 0;
  #commands = 0;
  /** Written, by table. */
  readonly #rules: Record<string, number> = { filter: 0, nat: 0, mangle: 0 };

  /** Number of lines of input. */
  get lines(): number {
    return this.#lines;
  }

  get commands(): number {
    return this.#commands;
  }

  /** Number of iptables rules, by table. */
  get rules(): Readonly<Record<string, number>> {
    return this.#rules;
  }

  /** Runs one command of a tool, or as many as are said, and counts it. Throws what the command throws. */
  async run<Result>(command: () => Promise<Result>, commands = 1): Promise<Result> {
    this.#commands += commands;
    return command();
  }

  /** The same lines, counted; without line ends. */
  countLines(lines: readonly string[]): readonly string[] {
    this.#lines += lines.length;
    return lines;
  }

  /** The same pieces of input for iptables-restore, their lines and rules counted as they are read. */
  *countRules(pieces: Iterable<string>): Generator<string> {
    let table = '';
    for (const piece of pieces) {
      const lines = piece.split('\n');
      this.#lines += lines.length - 1;
      for (const line of lines) {
        if (line.startsWith('*')) table = line.slice(1);
        else if (line.startsWith('-A ') || line.startsWith('-I ')) this.#rules[table] = (this.#rules[table] ?? 0) + 1;
      }
      yield piece;
    }
  }
}
