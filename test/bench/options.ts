/** How the commands of the bench are asked: one parser, one wording of what is wrong. */
import { Command, InvalidArgumentError } from 'commander';
import { maxEndpoints, maxServices } from './objects.ts';

/** What a call of `npm run bench` does. */
export interface BenchTask {
  /** On the machine's own network, before the namespaces are entered. */
  readonly prepare?: (outside: Outside) => Promise<void>;
  /** In namespaces of their own. Resolves to the exit status. */
  readonly run: (inside: Inside) => Promise<number>;
  /** At the end, whatever happened. */
  readonly cleanUp?: (inside: Inside) => Promise<void>;
}

export interface Inside {
  /** For files, removed at the end. */
  readonly directory: string;
  readonly progress: (line: string) => void;
}

export interface Outside extends Inside {
  /** Fires when the run is to end. */
  readonly signal: AbortSignal;
}

export const exitStatus = { done: 0, aboveMaxRatio: 1, wrongUsage: 2, notMeasured: 3, interrupted: 130 } as const;

/** Throws CommanderError for wrong usage, and prints nothing by itself. */
export function benchCommand(usage: string, description: string): Command {
  return new Command('npm run bench --')
    .usage(usage)
    .description(description)
    .helpOption(false)
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride();
}

export function count(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('give a whole number of 1 or more');
  return Number(text);
}

/** A flag that may be given several times. */
export function counts(text: string, before: readonly number[] = []): readonly number[] {
  return [...before, count(text)].toSorted((a, b) => a - b);
}

export function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && Number.isFinite(number))) throw new InvalidArgumentError('give a number above 0');
  return number;
}

/** Words with commas between them; the flag may be given several times. */
export function someOf<Word extends string>(
  known: readonly Word[],
): (text: string, before?: readonly Word[]) => readonly Word[] {
  return (text, before = []) => {
    const words = text.split(',');
    const unknown = words.find((word) => !(known as readonly string[]).includes(word));
    if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is none of ${known.join(', ')}`);
    return known.filter((word) => before.includes(word) || words.includes(word));
  };
}

/** One Service more is there while a restart is measured. */
export function haveAddresses(services: number, endpoints: number): boolean {
  return services < maxServices && (services + 1) * endpoints <= maxEndpoints;
}

/** Throws as any wrong usage does. */
export function requireAddresses(command: Command, services: number, endpoints: number): void {
  if (haveAddresses(services, endpoints)) return;
  command.error(
    `error: ${services} Services of ${endpoints} endpoints: there are addresses for ${maxServices} Services and ` +
      `${maxEndpoints} endpoints, one Service more included; give smaller --services or --endpoints`,
  );
}
