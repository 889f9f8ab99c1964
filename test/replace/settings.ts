/** How `npm run replace` is asked. */
import { Command, Option } from 'commander';
import { type Variant, variants } from '../bench/node.ts';
import type { Mode } from './nodeRules.ts';

export const exitStatus = { passed: 0, failed: 1, notRun: 2 } as const;

export interface Node {
  readonly mode: Mode;
  readonly variant: Variant;
}

export interface ReplaceSettings {
  readonly against: string;
  /** One after the other. */
  readonly nodes: readonly Node[];
}

const allNodes: readonly Node[] = [
  { mode: 'iptables', variant: 'nft' },
  { mode: 'iptables', variant: 'legacy' },
  { mode: 'ipvs', variant: 'nft' },
  { mode: 'ipvs', variant: 'legacy' },
];

export function replaceCommand(): Command {
  return new Command('npm run replace --')
    .usage('--against REV [flags]')
    .description(
      'Replaces the agent of another revision by that of the work tree, and back, under traffic. Both are built first.',
    )
    .requiredOption('--against <rev>', 'a commit, branch or tag; it is checked out and built beside the work tree')
    .addOption(new Option('--mode <mode>', 'how the node serves (both)').choices(['iptables', 'ipvs']))
    .addOption(new Option('--variant <variant>', 'of iptables (both)').choices(variants))
    .helpOption('-h, --help', 'print this help')
    .allowExcessArguments(false)
    .configureOutput({ writeErr: () => {} })
    .exitOverride()
    .addHelpText(
      'after',
      `
Examples:
  npm run replace -- --against HEAD^                               # everything, in a few minutes
  npm run replace -- --against v0.1.0 --mode iptables --variant nft
  npm run replace -- --against main --mode ipvs                    # in a kernel that has ip_vs: test/uml

Needs root, iptables and the cluster's programs; mode ipvs builds the kernel first where that was not done.

Exit status: ${exitStatus.passed} every step passed; ${exitStatus.failed} one failed, or was not reached; \
${exitStatus.notRun} wrong usage, not built, or interrupted.`,
    );
}

/** Throws CommanderError for wrong usage, and for --help, which is then printed. */
export function replaceSettings(args: readonly string[]): ReplaceSettings {
  const command = replaceCommand().parse(args, { from: 'user' });
  const { against, mode, variant } = command.opts<{ against: string } & Partial<Node>>();
  const nodes = allNodes.filter(
    (node) => (mode ?? node.mode) === node.mode && (variant ?? node.variant) === node.variant,
  );
  return { against, nodes };
}
