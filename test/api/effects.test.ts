/**
 * A setting that the API takes and nobody follows would be a lie: each has a test that shows its effect.
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { proxyconfigSchema } from '../../src/api/generated/schemas.ts';
import { refusalOf } from '../../src/backend/registry.ts';
import { childrenOf } from './constraints.ts';
import { effects, type Proof } from './effects.ts';

function leavesOf(schema: CrdSchema, field: string): string[] {
  const children = childrenOf(schema, field, []);
  return children.length === 0 ? [field] : children.flatMap((child) => leavesOf(child.schema, child.field));
}

const spec = proxyconfigSchema.properties?.['spec'] ?? {};
const proofs = Object.entries(effects).flatMap(([field, effect]): [string, ...Proof][] =>
  'mode' in effect ? [] : [[field, ...effect]],
);
const notYet = Object.entries(effects).flatMap(([field, effect]) =>
  'mode' in effect ? [{ field, mode: effect.mode }] : [],
);

/** Names stand in quotes of one kind or another, behind `test(`, `name:` or in a title of rows. */
function names(file: string): string[] {
  const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return [...source.matchAll(/(?:test(?:\.each|\w+)?\(|\)\(|name: )\s*(['"`])((?:\\.|(?!\1).)*)\1/g)].map(
    ([, , name = '']) => name,
  );
}

describe('effects of settings', () => {
  test('every setting has an entry, and every entry is of a setting', () => {
    expect(Object.keys(effects).sort()).toEqual(leavesOf(spec, 'spec').sort());
  });

  test.each(proofs)('the effect of %s is shown in %s: %s', (_field, file, words) => {
    expect(names(file).filter((name) => name.includes(words))).not.toEqual([]);
  });

  test.each(notYet)('$field is of a mode that agents do not have: $mode', ({ mode }) => {
    expect(refusalOf(mode)?.reason).toBe('ModeNotAvailable');
  });
});
