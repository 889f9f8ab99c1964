/**
 * The tree of chains that leads to Services by their addresses: whatever way a set of frontends came about, its chains
 * are those of a fresh start, and a packet meets exactly the rules of its address.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { createBackend } from '../../../src/backend/registry.ts';
import { DispatchTree } from '../../../src/backend/engine/serviceRules/dispatchTree.ts';
import type { FormattedDispatchRule } from '../../../src/backend/engine/serviceRules/format.ts';
import { octalDigits } from '../../../src/backend/engine/serviceRules/frontend.ts';
import { isBucketChain } from '../../../src/backend/engine/serviceRules/chainNames.ts';
import { cidrContains } from '../../../src/model/ipFamily.ts';
import { scaled } from '../../support/scale.ts';
import { FakeKernel } from './fakeKernel.ts';
import { keysOf, manyServices, plainService, signal, state } from './services.ts';

function frontend(address: string, port = 80): FormattedDispatchRule {
  return { table: 'nat', chain: 'KUBE-SERVICES', rule: `-d ${address} --dport ${port} -j KUBE-SVC`, address };
}

const root = 'KUBE-SERVICES';
type Chains = ReadonlyMap<string, readonly string[]>;

function fresh(frontends: readonly FormattedDispatchRule[]): Chains {
  const tree = new DispatchTree();
  for (const each of frontends) tree.fill(each);
  const chains = new Map([...tree.rebuild()].map(({ name, rules }) => [name, rules]));
  return chains.set(root, tree.rootRules());
}

/** The rules that a packet meets, and how many it is compared with. */
function trace(chains: Chains, address: string, chain = root): { met: string[]; compared: number } {
  const found = { met: [] as string[], compared: 0 };
  for (const rule of chains.get(chain) ?? []) {
    found.compared += 1;
    const [, network = '', bucket = ''] = /^-d (\S+) -j (KUBE-SB-\S+)$/.exec(rule) ?? [];
    if (bucket === '' && rule.startsWith(`-d ${address} `)) found.met.push(rule);
    if (bucket === '' || !cidrContains(network, address)) continue;
    const inside = trace(chains, address, bucket);
    found.met.push(...inside.met);
    found.compared += inside.compared;
  }
  return found;
}

const digit = fc.integer({ min: 0, max: 255 });
const addressIn: { readonly [name: string]: fc.Arbitrary<string> } = {
  'dense IPv4': fc.integer({ min: 0, max: 200 }).map((n) => `10.96.0.${n}`),
  'a Service range and strangers': fc.oneof(
    { weight: 9, arbitrary: fc.tuple(fc.integer({ min: 0, max: 3 }), digit).map(([a, b]) => `10.96.${a}.${b}`) },
    { weight: 1, arbitrary: fc.tuple(digit, digit, digit, digit).map((octets) => octets.join('.')) },
  ),
  IPv6: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 0xffff }).map((n) => `fd00:10:96::${n.toString(16)}`) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 0xffff }).map((n) => `2001:db8:${n.toString(16)}::1`) },
  ),
};

describe('DispatchTree', () => {
  describe.each(Object.entries(addressIn))('%s', (_name, address) => {
    const frontends = fc
      .uniqueArray(fc.tuple(address, fc.constantFrom(80, 443)), { selector: String, maxLength: 120 })
      .map((list) => list.map((each) => frontend(...each)));

    test('changes lead to the chains of a fresh start, and say exactly what they change', () => {
      fc.assert(
        fc.property(fc.array(frontends, { minLength: 2, maxLength: 6 }), fc.boolean(), (states, oneByOne) => {
          const tree = new DispatchTree();
          for (const each of states[0] ?? []) tree.fill(each);
          const kernel = new Map([...tree.rebuild()].map(({ name, rules }) => [name, rules]));
          let before = states[0] ?? [];
          for (const after of states.slice(1)) {
            const added = after.filter(({ rule }) => !before.some((each) => each.rule === rule));
            const removed = before.filter(({ rule }) => !after.some((each) => each.rule === rule));
            const steps: [FormattedDispatchRule[], FormattedDispatchRule[]][] = oneByOne
              ? [...added.map((each) => [[each], []] as never), ...removed.map((each) => [[], [each]] as never)]
              : [[added, removed]];
            for (const step of steps) {
              const { written, stale } = tree.change(...step);
              for (const { name, rules } of written) kernel.set(name, rules);
              for (const name of stale) expect(kernel.delete(name)).toBe(true);
            }
            expect(new Map(kernel).set(root, tree.rootRules())).toEqual(fresh(after));
            expect(tree.chainSizes).toEqual(new Map([...kernel].map(([name, rules]) => [name, rules.length])));
            before = after;
          }
        }),
        { numRuns: scaled(30, 2000) },
      );
    });

    test('a packet meets the rules of its address and no other, and few on the way', () => {
      fc.assert(
        fc.property(frontends, address, (list, stranger) => {
          const chains = fresh(list);
          for (const to of new Set([...list.map((each) => each.address ?? ''), stranger])) {
            expect(trace(chains, to).met.sort()).toEqual(
              list
                .filter((each) => each.address === to)
                .map(({ rule }) => rule)
                .sort(),
            );
          }
          expect([...chains.keys()].filter((name) => name !== root && !isBucketChain(name))).toEqual([]);
        }),
        { numRuns: scaled(15, 1000) },
      );
    });
  });

  describe('the worked example of its head', () => {
    const head = readFileSync(
      new URL('../../../src/backend/engine/serviceRules/dispatchTree.ts', import.meta.url),
      'utf8',
    );
    const [addressLines = [], chainLines = []] = [...head.matchAll(/^ \* ```\n([^`]*)^ \* ```$/gm)].map(
      ([, lines = '']) =>
        lines
          .trimEnd()
          .split('\n')
          .map((line) => line.slice(' * '.length)),
    );

    test('says the octal digits of three addresses', () => {
      expect(addressLines).toHaveLength(3);
      for (const [address = '', digits] of addressLines.map((line) => line.split(/ +/)))
        expect({ address, digits: octalDigits(address) }).toEqual({ address, digits });
    });

    test('says the chains and rules that come out', () => {
      const ports = { '10.96.0.1': 1, '10.96.0.10': 8, '10.96.16.7': 1 };
      const frontends = Object.entries(ports).flatMap(([address, count]) =>
        Array.from({ length: count }, (_, index) => frontend(address, 80 + index)),
      );
      const said = new Map<string, string[]>();
      let chain = '';
      for (const line of chainLines) {
        const [, name = '', text = ''] = /^(\S*) +(.*)$/.exec(line) ?? [];
        if (name !== '') chain = name;
        said.set(chain, [...(said.get(chain) ?? []), text]);
      }
      const chains = [...fresh(frontends)].map(([name, rules]) => [name, inWords(rules)] as const);
      expect(said).toEqual(new Map(chains));
    });
  });

  test('10,000 Services: a packet is compared with a few dozen rules', () => {
    const addresses = Array.from(
      { length: 10_000 },
      (_, index) => `10.${96 + (index % 16)}.${(index * 7) & 255}.${(index * 13) & 255}`,
    );
    const chains = fresh(addresses.map((address) => frontend(address)));
    expect(Math.max(...addresses.map((address) => trace(chains, address).compared))).toBeLessThan(80);
  });

  test('a tree comes with 128 frontends and goes below 96; ordinary nodes look as under kube-proxy', async () => {
    const kernel = new FakeKernel();
    const backend = createBackend('iptables', 'ipv4', kernel.host);
    const hasTree = (): boolean => Object.keys(kernel.state).some((chain) => chain.startsWith('nat KUBE-SB-'));
    await backend.sync({ state: state(manyServices(100)), changed: 'all', signal });
    const steps = [127, 128, 96, 95, 127, 128, 200, 96].map((count, index, all) => ({
      count,
      before: all[index - 1] ?? 100,
    }));
    const seen: boolean[] = [];
    for (const { count, before } of steps) {
      await backend.sync({
        state: state(manyServices(count)),
        changed: keysOf(manyServices(Math.max(count, before))),
        signal,
      });
      const incremental = kernel.state;
      seen.push(hasTree());
      expect(await backend.findDrift(signal)).toBeUndefined();
      // Another process, which knows nothing of the one before, finds nothing to change.
      const full = { state: state(manyServices(count)), changed: 'all', signal } as const;
      expect(await createBackend('iptables', 'ipv4', kernel.host).sync(full)).toMatchObject({
        linesSent: 0,
        full: true,
      });
      expect(kernel.state).toEqual(incremental);
    }
    expect(seen).toEqual([false, true, true, false, false, true, true, true]);
  });

  test('one more Service in a big cluster costs a few dozen lines at most, wherever its address is', async () => {
    const kernel = new FakeKernel();
    const backend = createBackend('iptables', 'ipv4', kernel.host);
    await backend.sync({ state: state(manyServices(3000)), changed: 'all', signal });
    for (const index of [3000, 3001, 3071, 3072, 5000, 60_000]) {
      const result = await backend.sync({
        state: state([...manyServices(3000), plainService(index)]),
        changed: keysOf([plainService(index)]),
        signal,
      });
      expect(result.linesSent).toBeLessThan(60);
      await backend.sync({ state: state(manyServices(3000)), changed: keysOf([plainService(index)]), signal });
    }
    expect(await backend.findDrift(signal)).toBeUndefined();
  });
});

/** Jumps as they are, and how many rules there are of an address. */
function inWords(rules: readonly string[]): readonly string[] {
  if (rules.every((rule) => rule.includes('KUBE-SB-'))) return rules;
  const addresses = new Set(rules.map((rule) => rule.split(' ')[1]));
  return [`${rules.length} rule${rules.length === 1 ? '' : 's'} of ${[...addresses].join(', ')}`];
}
