/**
 * An iptables (1.8.9, nf_tables) without a kernel: as strict as the real one about what is refused (dangling jumps,
 * unknown chains, rules to delete that are not there, chains still in use), with each table committed whole or not at
 * all. It keeps and gives back rules in the words that were recorded of the real iptables-save (saveWords.ts), and
 * takes no rule of a kind that was not. Tests that run on it also run on the real one.
 */
import { CommandError, type Command, type ToolHost } from '../../../src/system/command.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import { readRecording, SaveWords } from './saveWords.ts';

const recording = readRecording();
const savedWords = { ipv4: new SaveWords(recording, 'ipv4'), ipv6: new SaveWords(recording, 'ipv6') };

type Chains = Map<string, readonly string[]>;

const hooks: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};

export class FakeKernel {
  readonly #tables = new Map<string, Chains>(
    Object.entries(hooks).map(([table, chains]) => [table, new Map(chains.map((chain) => [chain, []]))]),
  );
  readonly #family: IPFamily;
  /** Every input that was sent, newest last. */
  readonly inputs: string[] = [];

  readonly host = {
    find: async (name) => (name.startsWith(`${this.#program}-nft-`) ? `/fake/${name}` : undefined),
    run: async (command) => this.#run(command),
  } satisfies ToolHost;

  constructor(family: IPFamily = 'ipv4') {
    this.#family = family;
  }

  get #program(): string {
    return this.#family === 'ipv4' ? 'iptables' : 'ip6tables';
  }

  /** All chains with their rules, as iptables-save words these. */
  get state(): Readonly<Record<string, readonly string[]>> {
    return Object.fromEntries(
      [...this.#tables].flatMap(([table, chains]) => [...chains].map(([name, rules]) => [`${table} ${name}`, rules])),
    );
  }

  #run({ file, args, input = [], onLine }: Command): string {
    if (args.includes('--version')) return `${this.#program}-restore v${recording.versions.at(-1)} (nf_tables)\n`;
    if (file.endsWith('-save')) this.#save(onLine ?? (() => {}));
    else if (!args.includes('--test')) this.restore([...input].join(''));
    return '';
  }

  #save(onLine: (line: string) => void): void {
    for (const [table, chains] of this.#tables) {
      onLine(`*${table}`);
      for (const chain of chains.keys())
        onLine(`:${chain} ${hooks[table]?.includes(chain) === true ? 'ACCEPT' : '-'} [0:0]`);
      for (const [chain, rules] of chains) for (const rule of rules) onLine(`-A ${chain} ${rule}`);
      onLine('COMMIT');
    }
  }

  restore(input: string): void {
    this.inputs.push(input);
    let table = '';
    let chains: Chains = new Map();
    for (const line of input.split('\n').slice(0, -1)) {
      if (line.startsWith('*')) {
        table = line.slice(1);
        chains = new Map(this.#tables.get(table));
      } else if (line === 'COMMIT') this.#tables.set(table, chains);
      else applyLine(chains, line, savedWords[this.#family]);
    }
  }
}

function applyLine(chains: Chains, line: string, words: SaveWords): void {
  const [command = '', name = '', ...rest] = line.split(' ');
  if (command.startsWith(':')) {
    chains.set(command.slice(1), []);
    return;
  }
  const rules = chains.get(name);
  if (rules === undefined) throw refused(`no chain: ${line}`);
  if (command === '-X') return deleteChain(chains, name);
  const position = command === '-I' && /^\d+$/.test(rest[0] ?? '') ? Number(rest.shift()) : 1;
  const rule = words.of(rest.join(' '));
  const target = / -j (KUBE-\S+)$/.exec(` ${rule}`)?.[1];
  if (target !== undefined && !chains.has(target)) throw refused(`no target: ${line}`);
  chains.set(name, edited(rules, { command, position, rule }));
}

function edited(
  rules: readonly string[],
  { command, position, rule }: { command: string; position: number; rule: string },
): readonly string[] {
  if (command === '-A') return [...rules, rule];
  if (command === '-I' && position <= rules.length + 1) return rules.toSpliced(position - 1, 0, rule);
  if (command === '-D' && rules.includes(rule)) return rules.toSpliced(rules.indexOf(rule), 1);
  throw refused(`cannot ${command} ${rule}`);
}

function deleteChain(chains: Chains, name: string): void {
  const isUsed = [...chains.values()].some((rules) => rules.some((rule) => rule.endsWith(`-j ${name}`)));
  if (isUsed || chains.get(name)?.length !== 0) throw refused(`chain in use: ${name}`);
  chains.delete(name);
}

function refused(why: string): CommandError {
  return new CommandError('Failed', 'refused', { exitCode: 1, stderr: why });
}
