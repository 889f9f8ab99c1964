/** How `npm run bench -- --profile` is asked. */
import type { Command } from 'commander';
import { type Variant, variants } from '../node.ts';
import { usualEndpoints } from '../objects.ts';
import { benchCommand, count, requireAddresses, someOf } from '../options.ts';

export interface ProfileSettings {
  readonly variant: readonly Variant[];
  readonly services: number;
  readonly endpoints: number;
  /** Of each kind of profile, of which the quietest counts. */
  readonly starts: number;
}

const usually: ProfileSettings = { variant: variants, services: 10_000, endpoints: usualEndpoints, starts: 3 };

export function profileCommand(): Command {
  return benchCommand(
    '--profile [flags]',
    'Says which functions of the agent and of its tools a cold start spends its time in, and writes it into ' +
      'docs/performance.md; without the usual numbers of Services and endpoints and both variants it only prints. ' +
      'Needs perf (Debian: linux-perf), and debug symbols of the tools to name their functions.',
  )
    .requiredOption('--profile', 'of a cold start')
    .option('--variant <names>', `of iptables: ${variants.join(',')} (both)`, someOf(variants))
    .option('--services <n>', `how many Services there are (${usually.services})`, count)
    .option('--endpoints <n>', `of each Service (${usually.endpoints})`, count)
    .option('--starts <n>', `of the agent for each profile, of which the quietest counts (${usually.starts})`, count);
}

/** Throws CommanderError for wrong usage. */
export function profileSettings(args: readonly string[]): ProfileSettings {
  const command = profileCommand().parse(args, { from: 'user' });
  const { variant, services, endpoints, starts } = { ...usually, ...command.opts<Partial<ProfileSettings>>() };
  requireAddresses(command, services, endpoints);
  return { variant, services, endpoints, starts };
}

/** Whether this is what the page shows. */
export function isForThePage({ variant, services, endpoints }: ProfileSettings): boolean {
  return variant.length === usually.variant.length && services === usually.services && endpoints === usually.endpoints;
}
