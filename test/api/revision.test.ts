import { describe, expect, test } from '@jest/globals';
import { assert, boolean, jsonValue, nat, property, record, string } from 'fast-check';
import { builtInConfig, withDefaults } from '../../src/api/defaults.ts';
import { nodeConfigOf } from '../../src/api/nodeConfig.ts';
import type { ProxyConfig } from '../../src/api/generated/proxyConfig.ts';
import { revisionOf } from '../../src/api/revision.ts';

const { spec } = withDefaults({ spec: { mode: 'iptables' } }) as ProxyConfig;

describe('revisionOf', () => {
  test('the revision is short, and a label and a file may be named after it', () => {
    expect(revisionOf(builtInConfig())).toMatch(/^[0-9a-f]{12}$/);
  });

  test('the order of fields and absent fields do not matter', () => {
    const { mode, ...rest } = builtInConfig();
    expect(revisionOf({ ...rest, mode, localTraffic: undefined })).toBe(revisionOf({ mode, ...rest }));
  });

  test.each([
    { name: 'the mark', change: { masquerade: { bit: 15, all: false } } },
    { name: 'a nested flag', change: { masquerade: { bit: 14, all: true } } },
    { name: 'a field that was absent', change: { localTraffic: { detect: 'NodeCIDR' } } },
    { name: 'the mode', change: { mode: 'nftables' } },
  ] as const)('$name gives another revision', ({ change }) => {
    expect(revisionOf({ ...builtInConfig(), ...change })).not.toBe(revisionOf(builtInConfig()));
  });

  test("what is the operator's own gives the same revision", () => {
    const other = { ...spec, priority: 7, paused: true, nodeSelector: {}, revisionHistoryLimit: 3 };
    expect(revisionOf(nodeConfigOf(other))).toBe(revisionOf(nodeConfigOf(spec)));
  });
});

describe('withDefaults', () => {
  test('a node without any configuration runs what an otherwise empty ProxyConfig of mode iptables says', () => {
    expect(builtInConfig()).toEqual(nodeConfigOf(spec));
  });

  test('defaulting never changes what is there, and a second time changes nothing', () => {
    assert(
      property(
        record({ mode: string(), masquerade: record({ bit: nat() }), paused: boolean(), unknown: jsonValue() }),
        (given) => {
          const once = withDefaults({ spec: given });
          expect(once).toMatchObject({
            spec: { mode: given.mode, paused: given.paused, masquerade: { bit: given.masquerade.bit, all: false } },
          });
          expect(withDefaults(once)).toEqual(once);
        },
      ),
    );
  });

  test('a field with nothing after it counts as absent', () => {
    expect(withDefaults({ spec: { mode: 'iptables', masquerade: null } })).toMatchObject({
      spec: { masquerade: { bit: 14, all: false } },
    });
  });
});
