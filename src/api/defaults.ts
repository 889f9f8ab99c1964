/**
 * @module Defaults as the API server fills them in, from the CRDs' own schemas.
 */
import type { CrdSchema } from './crdSchema.ts';
import { nodeConfigOf, type NodeConfig } from './nodeConfig.ts';
import type { ProxyConfig } from './proxyConfig.ts';
import { proxyconfigSchema } from './schemas.ts';

/** A copy of a ProxyConfig as `kubectl apply` would store it: absent fields that have a default carry it. Unknown fields stay. */
export function withDefaults(manifest: unknown): unknown {
  return defaulted(manifest, proxyconfigSchema);
}

/** What an agent runs that has no configuration at all, so that a fresh cluster can come up before its operator does. */
export function builtInConfig(): NodeConfig {
  const config = withDefaults({ spec: { mode: 'iptables' } }) as ProxyConfig;
  return nodeConfigOf(config.spec);
}

/** Kubernetes' structural defaulting: a default is put in for an absent property, then defaulting goes on inside of it. */
function defaulted(value: unknown, schema: CrdSchema): unknown {
  if (Array.isArray(value)) return schema.items ? value.map((item) => defaulted(item, schema.items ?? {})) : value;
  if (typeof value !== 'object' || value === null) return value;
  const present = { ...absentDefaults(schema), ...value };
  return Object.fromEntries(Object.entries(present).map(([name, child]) => [name, defaulted(child, schema.properties?.[name] ?? schema.additionalProperties ?? {})]));
}

function absentDefaults(schema: CrdSchema): Record<string, unknown> {
  const withDefault = Object.entries(schema.properties ?? {}).filter(([, child]) => child.default !== undefined);
  return Object.fromEntries(withDefault.map(([name, child]) => [name, structuredClone(child.default)]));
}
