/**
 * The words that the fake kernel gives are those of the real iptables-save: recorded once, recorded again where the
 * tool is the same version, and compared for every golden rule. `UPDATE_GOLDEN=1` writes the recording anew.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { toSaveFormat } from '../../../src/netfilter/xtables/rule.ts';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import { ipFamilies } from '../../../src/model/ipFamily.ts';
import { findIptables } from '../../../src/netfilter/xtables/tools/iptables.ts';
import { createEmptyNode, iptablesObstacle, matchObstacle } from '../../support/network.ts';
import { FakeKernel } from './fakeKernel.ts';
import { loadTables, saveTables } from '../../netfilter/xtables/realTables.ts';
import type { TableRule } from './ruleKinds.ts';
import { inputOf, ruleOfEachKind, rulesOf } from './ruleKinds.ts';
import type { RecordedRule } from './saveWords.ts';
import { formatRecording, kindOf, readRecording, recordingFile, SaveWords } from './saveWords.ts';

const variants = ['nft', 'legacy'] as const;
const update = process.env['UPDATE_GOLDEN'] === '1';
const recording = readRecording();

describe('SaveWords', () => {
  test('has a recording of every kind of rule once in each family', () => {
    for (const family of ipFamilies) {
      const kinds = recording.rules.filter((rule) => rule.family === family).map(({ written }) => kindOf(written).kind);
      expect(new Set(kinds).size).toBe(kinds.length);
      expect(kinds).toEqual(ruleOfEachKind(family).map(({ rule }) => kindOf(rule).kind));
    }
  });

  test('gives the recorded words of a rule as it is written and as it is read back', () => {
    for (const { family, written, saved } of recording.rules) {
      const words = new SaveWords(recording, family);
      expect(words.of(written)).toBe(saved);
      expect(words.of(saved)).toBe(saved);
    }
  });

  test('is recorded with the words that toSaveFormat gives', () => {
    for (const { family, written, saved } of recording.rules) expect(toSaveFormat(written, family)).toBe(saved);
  });

  test('refuses a rule of a kind that was not recorded', () => {
    expect(() => new SaveWords(recording, 'ipv4').of('-m comment --comment "a/b" -g KUBE-SERVICES')).toThrow(
      'no rule of this kind was recorded',
    );
  });
});

const obstacles = { nft: await iptablesObstacle('nft'), legacy: await iptablesObstacle('legacy') };
const withoutMatches = await matchObstacle();
const version = (await findIptables('ipv4', 'nft'))?.version ?? '';
/** Another version may have other words. */
const isRecorded = update || recording.versions.includes(version);
const otherVersion = isRecorded
  ? undefined
  : `recorded of iptables ${recording.versions.join(', ')}, here is ${version}`;

describe.each(variants)('iptables-save of the real kernel, %s', (variant) => {
  const obstacle = obstacles[variant] ?? withoutMatches ?? otherVersion;
  if (obstacle !== undefined) {
    test.skip(`the real kernel: ${obstacle}`, () => {});
    return;
  }
  let node: ReturnType<typeof createEmptyNode>;
  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(() => node.close());

  async function record(family: IPFamily): Promise<readonly RecordedRule[]> {
    const rules = ruleOfEachKind(family);
    await loadTables(node, inputOf(rules, family, variant));
    const chains = await saveTables(node, { family, variant });
    return rules.map(({ table, rule }, index) => ({
      family,
      written: rule,
      saved: chains[`${table} RULE-${index}`]?.join('\n') ?? '',
    }));
  }

  test('words each kind of rule as recorded', async () => {
    const rules = [...(await record('ipv4')), ...(await record('ipv6'))];
    // Where the words are those of before, this version has them as well as those of before.
    const isSame = formatRecording({ ...recording, rules }) === formatRecording(recording);
    const versions = isSame ? [...new Set([...recording.versions, version])] : [version];
    if (update && variant === 'nft') writeFileSync(recordingFile, formatRecording({ versions, rules }));
    expect(formatRecording({ versions, rules })).toBe(readFileSync(recordingFile, 'utf8'));
  });

  test.each(ipFamilies)('words every golden rule as the fake kernel does, %s', async (family) => {
    const load = inputOf(goldenRules(family), family, variant);
    const fake = new FakeKernel(family);
    fake.restore(load.input);
    await loadTables(node, load);
    const [real, faked] = [await saveTables(node, load), fake.state];
    const ruleChains = Object.keys(real).filter((chain) => chain.includes(' RULE-'));
    expect(ruleChains.length).toBeGreaterThan(family === 'ipv4' ? 500 : 50);
    for (const chain of ruleChains) expect({ chain, rules: faked[chain] }).toEqual({ chain, rules: real[chain] });
  });
});

/** Each rule of the golden files of both modes once. */
function goldenRules(family: IPFamily): readonly TableRule[] {
  const rules = new Set(
    ['iptables', 'ipvs'].flatMap((mode) => {
      const folder = new URL(`../${mode}/golden/`, import.meta.url);
      const files = readdirSync(folder).filter((file) => file.includes('ipv6') === (family === 'ipv6'));
      return files.flatMap((file) => [...rulesOf(readFileSync(new URL(file, folder), 'utf8'))].map(({ rule }) => rule));
    }),
  );
  // The files leave out a table that has nothing but what every node has; only DROP and REJECT are tied to one.
  return [...rules].map((rule) => ({ table: /-j (?:DROP|REJECT)/.test(rule) ? 'filter' : 'nat', rule }));
}
