/**
 * What the API server says when it refuses an object is all that a person has to go by.
 */
import { describe, expect, test } from '@jest/globals';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { kinds } from './admissionTable.ts';
import { childrenOf } from './constraints.ts';

/** What must be, or what to do after a semicolon. */
const remedy = /\bmust (be|map)\b|; [a-z]+ /;

function messagesOf(schema: CrdSchema): string[] {
  const own = (schema['x-kubernetes-validations'] ?? []).map(({ rule, message }) => message ?? `no message: ${rule}`);
  return [...own, ...childrenOf(schema, '', []).flatMap((child) => messagesOf(child.schema))];
}

describe('messages of rules', () => {
  test('every rule of a CRD that refuses an object says what to do', () => {
    const messages = kinds.flatMap(({ schema }) => messagesOf(schema));
    expect(messages.length).toBeGreaterThan(0);
    expect(messages.filter((message) => !remedy.test(message))).toEqual([]);
  });
});
