/**
 * Hands lines to ipvsadm, ipset and ip; none of them runs where there are no lines.
 */
import { runTool } from '../../../netfilter/errors.ts';
import type { CommandCount } from '../../engine/commandCount.ts';
import type { Tools } from './kernel.ts';

export interface ToolLinesOptions {
  readonly tools: Tools;
  readonly count: CommandCount;
  readonly signal: AbortSignal;
}

/** Each method returns when its tool has reported success, and throws a SyncError where it has not. */
export class ToolLines {
  readonly #options: ToolLinesOptions;

  constructor(options: ToolLinesOptions) {
    this.#options = options;
  }

  ipvsadm(lines: readonly string[]): Promise<void> {
    const { tools, signal } = this.#options;
    return this.#send('ipvsadm', lines, (input) => tools.ipvsadm.restore(input, signal));
  }

  ipset(lines: readonly string[]): Promise<void> {
    const { tools, signal } = this.#options;
    return this.#send('ipset', lines, (input) => tools.ipset.restore(input, signal));
  }

  ip(lines: readonly string[]): Promise<void> {
    const { tools, signal } = this.#options;
    return this.#send('ip', lines, (input) => tools.ip.batch(input, signal));
  }

  async #send(
    tool: string,
    lines: readonly string[],
    command: (input: Iterable<string>) => Promise<void>,
  ): Promise<void> {
    if (lines.length === 0) return;
    const { count } = this.#options;
    const input = count.countLines(lines).map((line) => `${line}\n`);
    await count.run(() => runTool(tool, () => command(input)));
  }
}
