/** How `npm run bench -- --against REV` is asked. */
import { type Command, Option } from 'commander';
import { type Variant, variants } from '../node.ts';
import { usualEndpoints } from '../objects.ts';
import { benchCommand, count, positive, requireAddresses, someOf } from '../options.ts';
import { type Workload, workloads } from './rows.ts';

export interface AgainstSettings {
  readonly against: string;
  readonly variant: readonly Variant[];
  readonly services: number;
  readonly endpoints: number;
  readonly workload: readonly Workload[];
  readonly rounds: number;
  /** Endpoint changes in one life of an agent, each there and back. */
  readonly changes: number;
  readonly output: 'text' | 'json';
  readonly maxRatio?: number;
}

/** Of lists, which begin empty where a flag is given. */
const usually: Pick<AgainstSettings, 'variant' | 'workload'> = { variant: variants, workload: workloads };

export function againstCommand(): Command {
  return benchCommand('--against REV [flags]', 'Measures the work tree beside another revision of the product.')
    .requiredOption('--against <rev>', 'a commit, branch or tag; it is checked out and built beside the work tree')
    .option('--variant <names>', `of iptables: ${variants.join(',')} (both)`, someOf(variants))
    .option('--services <n>', 'how many Services there are', count, 10_000)
    .option('--endpoints <n>', 'of each Service', count, usualEndpoints)
    .option('--workload <names>', `what the table is of: ${workloads.join(',')} (all)`, someOf(workloads))
    .option('--rounds <n>', 'in each of which both are measured, by turns: A B B A …', count, 5)
    .option('--changes <n>', 'of one endpoint, there and back, in each life of an agent', count, 5)
    .option('--max-ratio <ratio>', 'the most that a median ratio may be, else the exit status is 1', positive)
    .addOption(new Option('-o, --output <format>', 'of what is printed').choices(['text', 'json']).default('text'));
}

/** Throws CommanderError for wrong usage. */
export function againstSettings(args: readonly string[]): AgainstSettings {
  const command = againstCommand().parse(args, { from: 'user' });
  const settings = { ...usually, ...command.opts<Omit<AgainstSettings, keyof typeof usually>>() };
  requireAddresses(command, settings.services, settings.endpoints);
  return settings;
}
