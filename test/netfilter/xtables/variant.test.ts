import { describe, expect, test } from '@jest/globals';
import type { IptablesVariant } from '../../../src/netfilter/xtables/chain.ts';
import type { VariantSurvey } from '../../../src/netfilter/xtables/tools/variant.ts';
import { preferVariant } from '../../../src/netfilter/xtables/tools/variant.ts';

type Survey = VariantSurvey & { readonly variant: IptablesVariant };
type Row = {
  readonly name: string;
  readonly nft?: Partial<VariantSurvey['view']>;
  readonly legacy?: Partial<VariantSurvey['view']>;
  readonly expected: IptablesVariant | undefined;
};

const rows: readonly Row[] = [
  { name: "kubelet's mark", nft: {}, legacy: { hasKubeletMark: true }, expected: 'legacy' },
  {
    name: "kubelet's mark, though the other has more rules",
    nft: { hasKubeletMark: true, rules: 1 },
    legacy: { rules: 500 },
    expected: 'nft',
  },
  {
    name: 'a mark in both, as a change of the host leaves it: the first',
    nft: { hasKubeletMark: true },
    legacy: { hasKubeletMark: true, rules: 9 },
    expected: 'nft',
  },
  { name: 'without a mark the one with more rules', nft: { rules: 2 }, legacy: { rules: 3 }, expected: 'legacy' },
  { name: 'the same the other way round', nft: { rules: 3 }, legacy: { rules: 2 }, expected: 'nft' },
  { name: 'as many rules in both: the first', nft: { rules: 4 }, legacy: { rules: 4 }, expected: 'nft' },
  { name: 'no rule anywhere: the first', nft: {}, legacy: {}, expected: 'nft' },
  { name: 'the only one that is installed', legacy: {}, expected: 'legacy' },
  { name: 'none where none is installed', expected: undefined },
];

describe('preferVariant', () => {
  test.each(rows)('$name', ({ nft, legacy, expected }) => {
    expect(preferVariant([...surveyOf('nft', nft), ...surveyOf('legacy', legacy)])?.variant).toBe(expected);
  });
});

function surveyOf(variant: IptablesVariant, view: Row['nft']): readonly Survey[] {
  return view === undefined ? [] : [{ variant, view: { hasKubeletMark: false, rules: 0, ...view } }];
}
