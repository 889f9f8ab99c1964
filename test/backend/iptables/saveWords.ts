/**
 * How iptables-save words a rule, by what was recorded of the real one: `savedRules.txt` has one example of each kind
 * of rule, as we write it and as it is read back.
 *
 * Two rules are of one kind when they differ in values alone: addresses, ports, names, comments, marks, seconds and
 * probabilities. Order of options, spelled-out defaults and numbers come from the recording, never from the product.
 */
import { readFileSync } from 'node:fs';
import type { IPFamily } from '../../../src/model/ipFamily.ts';

export interface RecordedRule {
  readonly family: IPFamily;
  /** Without `-A CHAIN`, both. */
  readonly written: string;
  readonly saved: string;
}

export interface Recording {
  /** Of iptables, which all have these words: `1.8.9`. */
  readonly versions: readonly string[];
  readonly rules: readonly RecordedRule[];
}

export const recordingFile = new URL('savedRules.txt', import.meta.url);

const heading = (
  versions: readonly string[],
): string => `# How iptables-save (${versions.join(', ')}) words each kind of rule that this project writes, of both variants, nft and legacy.
# First the rule as it is given to iptables-restore, then, indented, as iptables-save gives it back.
# Recorded in a network namespace: UPDATE_GOLDEN=1 npm run jest -- test/backend/iptables/saveWords.test.ts
`;

export function formatRecording({ versions, rules }: Recording): string {
  const sections = (['ipv4', 'ipv6'] as const).map((family) => {
    const pairs = rules.filter((rule) => rule.family === family);
    return `\n[${family}]\n${pairs.map(({ written, saved }) => `${written}\n    ${saved}\n`).join('')}`;
  });
  return heading(versions) + sections.join('');
}

/** Throws where a line is none of the format. */
export function parseRecording(text: string): Recording {
  const rules: RecordedRule[] = [];
  let family: IPFamily = 'ipv4';
  let written = '';
  for (const line of text.split('\n')) {
    const [, section] = /^\[(ipv4|ipv6)\]$/.exec(line) ?? [];
    if (section !== undefined) family = section as IPFamily;
    else if (line.startsWith('    ')) rules.push({ family, written, saved: line.trim() });
    else if (line !== '' && !line.startsWith('#')) written = line;
  }
  return { versions: /\((\d[\d., ]*)\)/.exec(text)?.[1]?.split(', ') ?? [], rules };
}

export function readRecording(): Recording {
  return parseRecording(readFileSync(recordingFile, 'utf8'));
}

/** A rule with a name in the place of each value, and the values. */
export interface Kind {
  readonly kind: string;
  readonly values: ReadonlyMap<string, string>;
}

const valued =
  /(?<=^| )(-s|-d|-i|--comment|--dport|--name|--seconds|--probability|--to-destination|--match-set) ("[^"]*"|\S+)|(-j) (KUBE-\S+)|(0x[0-9a-f]+)/g;

export function kindOf(rule: string): Kind {
  const values = new Map<string, string>();
  const kind = rule.replace(valued, (...found: readonly (string | undefined)[]) => {
    const [text = '', option = found[3], value = found[4] ?? '', , , mark] = found;
    if (mark !== undefined) return markIn(mark, values);
    if (option === undefined) return text;
    values.set(option, value);
    return `${option} <${option}>`;
  });
  return { kind, values };
}

/** Leading zeros are no difference of kind; a mask of no bits is no value. */
function markIn(mark: string, values: Map<string, string>): string {
  if (Number(mark) === 0) return mark;
  values.set('mark', `0x${Number(mark).toString(16)}`);
  return '<mark>';
}

/** Words rules of one IP family. */
export class SaveWords {
  /** By kind as written, and as saved: both are given to the tool. */
  readonly #savedKinds = new Map<string, string>();
  /** Of rules that were asked for before, for a test asks for the same ones again and again. */
  readonly #known = new Map<string, string>();

  constructor({ rules }: Recording, family: IPFamily) {
    for (const { written, saved } of rules.filter((rule) => rule.family === family)) {
      const { kind } = kindOf(saved);
      this.#savedKinds.set(kindOf(written).kind, kind).set(kind, kind);
    }
  }

  /** The rule as iptables-save would give it back. Throws where no rule of its kind was recorded. */
  of(rule: string): string {
    const known = this.#known.get(rule) ?? this.#find(rule);
    this.#known.set(rule, known);
    return known;
  }

  #find(rule: string): string {
    const { kind, values } = kindOf(rule);
    const saved = this.#savedKinds.get(kind);
    if (saved === undefined) throw new Error(`no rule of this kind was recorded, see savedRules.txt: ${rule}`);
    return saved.replaceAll(/<([^>]+)>/g, (_text, name: string) => valueOf(name, values));
  }
}

function valueOf(name: string, values: ReadonlyMap<string, string>): string {
  const value = values.get(name) ?? '';
  return name === '--probability' ? keptProbability(value) : value;
}

/** The kernel keeps 31 bits of a probability (xt_statistic.h), and iptables-save shows 11 digits of these. */
function keptProbability(value: string): string {
  return (Math.round(Number(value) * 2 ** 31) / 2 ** 31).toFixed(11);
}
