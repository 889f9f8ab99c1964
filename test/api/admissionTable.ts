/**
 * @module The rows of both kinds as whole objects: one table for the real API server and for offline validation.
 */
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { nodeproxySchema, proxyconfigSchema } from '../../src/api/generated/schemas.ts';
import { withValues, type Row } from './admissionRow.ts';
import { nodeProxyRows } from './nodeProxyRows.ts';
import { proxyConfigRows } from './proxyConfigRows.ts';

export interface Kind {
  readonly kind: 'ProxyConfig' | 'NodeProxy';
  readonly plural: string;
  readonly schema: CrdSchema;
  readonly rows: readonly Row[];
  /** The least that is taken. */
  readonly base: Readonly<Record<string, unknown>>;
}

export const kinds: readonly Kind[] = [
  {
    kind: 'ProxyConfig',
    plural: 'proxyconfigs',
    schema: proxyconfigSchema,
    rows: proxyConfigRows,
    base: object('ProxyConfig', { mode: 'iptables' }),
  },
  {
    kind: 'NodeProxy',
    plural: 'nodeproxies',
    schema: nodeproxySchema,
    rows: nodeProxyRows,
    base: object('NodeProxy', { configRef: { name: 'all', uid: 'u', generation: 1 }, revision: 'r' }),
  },
];

function object(kind: string, spec: object): Readonly<Record<string, unknown>> {
  return { apiVersion: 'proxyconfig.dev/v1alpha1', kind, metadata: { name: 'example' }, spec };
}

export interface Example {
  readonly field: string;
  /** The field that a refusal must name. */
  readonly names: string;
  readonly accepted: boolean;
  readonly value: unknown;
  /** The value for the name of a test; a long one is cut. */
  readonly text: string;
  readonly object: Record<string, unknown>;
}

export function examplesOf({ rows, base }: Kind): Example[] {
  return rows.flatMap(({ field, names = field, given = {}, accepted, refused }) => {
    const example = (value: unknown, isAccepted: boolean): Example => ({
      field,
      names,
      accepted: isAccepted,
      value,
      text: shown(value),
      object: withValues(withValues(base, given), { [field]: value }),
    });
    return [...accepted.map((value) => example(value, true)), ...refused.map((value) => example(value, false))];
  });
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'left out';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
