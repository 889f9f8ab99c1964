/**
 * Any rule that can be said is loaded by the real iptables-restore, and iptables-save then says what `toSaveFormat`
 * says of it.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { IPFamily } from '../../../src/model/ipFamily.ts';
import { ipFamilies } from '../../../src/model/ipFamily.ts';
import type { ConnectionState, Match, Rule, Target } from '../../../src/netfilter/xtables/rule.ts';
import { formatRule, toSaveFormat } from '../../../src/netfilter/xtables/rule.ts';
import { createEmptyNode, matchObstacle } from '../../support/network.ts';
import { describeWhere } from '../../support/requirements.ts';
import { loadTables, saveTables } from './realTables.ts';

interface Placed {
  readonly table: 'nat' | 'filter';
  readonly rule: Rule;
}

const addresses: { readonly [family in IPFamily]: fc.Arbitrary<string> } = {
  ipv4: fc
    .tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255), fc.nat(255), fc.nat(255))
    .map((parts) => parts.join('.')),
  ipv6: fc
    .tuple(fc.integer({ min: 1, max: 0xff_ff }), fc.integer({ min: 1, max: 0xff_ff }))
    .map(([subnet, host]) => `fd00:${subnet.toString(16)}::${host.toString(16)}`),
};

/** Without host bits, as the tool gives them back. */
const networks: { readonly [family in IPFamily]: fc.Arbitrary<string> } = {
  ipv4: fc.tuple(fc.integer({ min: 1, max: 223 }), fc.nat(255)).map(([one, two]) => `${one}.${two}.0.0/16`),
  ipv6: fc.integer({ min: 1, max: 0xff_ff }).map((subnet) => `fd00:${subnet.toString(16)}::/32`),
};

const bit = fc.integer({ min: 0, max: 31 }).map((index) => 2 ** index);
const chain = fc.integer({ min: 0, max: 9999 }).map((number) => `KUBE-SEP-${number}`);
const port = fc.integer({ min: 1, max: 65_535 });
const states: fc.Arbitrary<readonly ConnectionState[]> = fc.constantFrom(
  ['NEW'],
  ['INVALID'],
  ['RELATED', 'ESTABLISHED'],
);

/** Each kind of match, of which a rule has one of each at most. */
function matches(family: IPFamily): fc.Arbitrary<readonly Match[]> {
  const negated = fc.boolean();
  const network = fc.oneof(addresses[family], networks[family]);
  const kinds: readonly fc.Arbitrary<Match>[] = [
    fc.stringMatching(/^[A-Za-z0-9 .,:;+/>[\]_()-]{1,60}$/).map((text) => ({ kind: 'comment', text })),
    fc.record({ kind: fc.constant('source'), network, negated }),
    fc.record({ kind: fc.constant('destination'), network, negated }),
    fc.record({ kind: fc.constant('inInterface'), name: fc.constantFrom('cni0', 'cali+', 'eth0.5'), negated }),
    fc.constantFrom<Match>(
      { kind: 'localSource' },
      { kind: 'localDestination' },
      {
        kind: 'localDestination',
        negated: true,
      },
    ),
    states.map((some) => ({ kind: 'connectionState', states: some })),
    fc.record({ kind: fc.constant('mark'), mark: bit, negated }),
    fc.double({ min: 1e-9, max: 1, noNaN: true }).map((value) => ({ kind: 'probability', value })),
    fc.oneof(
      chain.map((list): Match => ({ kind: 'rememberSource', list })),
      fc
        .tuple(chain, fc.integer({ min: 1, max: 86_400 }))
        .map(([list, seconds]): Match => ({ kind: 'sourceRemembered', list, seconds })),
    ),
  ];
  return fc.subarray([...kinds]).chain((some) => fc.tuple(...some));
}

function inFilter(
  target: Target,
  protocols: fc.Arbitrary<Match[]>,
): fc.Arbitrary<{ table: 'filter'; target: Target; protocols: Match[] }> {
  return protocols.map((some) => ({ table: 'filter' as const, target, protocols: some }));
}

/** With the protocol that some targets need. */
function targets(family: IPFamily): fc.Arbitrary<{ table: Placed['table']; target?: Target; protocols: Match[] }> {
  const tcp = fc.oneof(
    fc.constant<Match>({ kind: 'protocol', protocol: 'TCP' }),
    port.map((number): Match => ({ kind: 'destinationPort', protocol: 'TCP', port: number })),
  );
  const any = fc.oneof(
    fc.constant<Match[]>([]),
    tcp.map((match) => [match]),
  );
  const inNat = (target: fc.Arbitrary<Target>, protocols: fc.Arbitrary<Match[]> = any) =>
    fc.tuple(target, protocols).map(([each, some]) => ({ table: 'nat' as const, target: each, protocols: some }));
  const socket = fc
    .tuple(addresses[family], port)
    .map(([address, number]) => (family === 'ipv6' ? `[${address}]:${number}` : `${address}:${number}`));
  return fc.oneof(
    any.map((protocols) => ({ table: 'filter' as const, protocols })),
    inFilter({ kind: 'DROP' }, any),
    inFilter({ kind: 'REJECT' }, any),
    inFilter(
      { kind: 'resetTcp' },
      tcp.map((match) => [match]),
    ),
    inNat(fc.constantFrom<Target>({ kind: 'ACCEPT' }, { kind: 'RETURN' }, { kind: 'masquerade' })),
    inNat(bit.map((mark): Target => ({ kind: 'orMark', mark }))),
    inNat(bit.map((mark): Target => ({ kind: 'xorMark', mark }))),
    inNat(fc.constant<Target>({ kind: 'jump', chain: 'KUBE-MARK-MASQ' })),
    inNat(
      socket.map((to): Target => ({ kind: 'dnat', to })),
      tcp.map((match) => [match]),
    ),
  );
}

function rules(family: IPFamily): fc.Arbitrary<Placed> {
  return fc
    .tuple(matches(family), targets(family))
    .chain(([some, { table, target, protocols }]) =>
      fc
        .shuffledSubarray([...some, ...protocols], { minLength: some.length + protocols.length })
        .map((all) => ({ table, rule: { matches: all, ...(target && { target }) } })),
    );
}

/** Each rule in a chain of its own. */
function inputOf(placed: readonly Placed[]): string {
  const tableInput = (table: Placed['table']): string => {
    const own = placed.flatMap((each, index) => (each.table === table ? [{ ...each, name: `RULE-${index}` }] : []));
    const declared = own.map(({ name }) => `:${name} - [0:0]\n`).join('');
    const mark = table === 'nat' ? ':KUBE-MARK-MASQ - [0:0]\n' : '';
    return `*${table}\n${mark}${declared}${own.map(({ name, rule }) => `-A ${name} ${formatRule(rule)}\n`).join('')}COMMIT\n`;
  };
  return tableInput('nat') + tableInput('filter');
}

describeWhere(['root', 'iptables'], 'toSaveFormat', () => {
  let node: ReturnType<typeof createEmptyNode>;
  beforeEach(() => {
    node = createEmptyNode();
  });
  afterEach(() => node.close());

  const cases = ipFamilies.flatMap((family) => (['nft', 'legacy'] as const).map((variant) => ({ family, variant })));

  test.each(cases)('words any rule as iptables-save does, $variant $family', async ({ family, variant }) => {
    expect(await matchObstacle()).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(fc.array(rules(family), { minLength: 100, maxLength: 100 }), async (placed) => {
        await loadTables(node, { family, variant, sets: [], input: inputOf(placed) });
        const saved = await saveTables(node, { family, variant });
        placed.forEach(({ table, rule }, index) => {
          const written = formatRule(rule);
          expect({ written, saved: saved[`${table} RULE-${index}`] }).toEqual({
            written,
            saved: [toSaveFormat(written, family)],
          });
        });
      }),
      { numRuns: 3 },
    );
  });
});
