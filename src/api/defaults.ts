/**
 * Defaults as the API server fills them in, from the CRDs' own schemas.
 */
import type { CrdSchema } from './crdSchema.ts';
import { ownValue } from './ownValue.ts';
import { isRecord } from './isRecord.ts';
import { nodeConfigOf, type NodeConfig } from './nodeConfig.ts';
import type { ProxyConfig } from './generated/proxyConfig.ts';
import { proxyconfigSchema } from './generated/schemas.ts';

/**
 * A copy of a manifest as the API server would store it: absent fields that have a default carry it. Unknown fields
 * stay. What is not of the schema's type is returned as it is, for `validateObject` to report.
 */
export function withDefaults(manifest: unknown, schema: CrdSchema = proxyconfigSchema): unknown {
  if (Array.isArray(manifest)) return manifest.map((item) => withDefaults(item, schema.items ?? {}));
  if (!isRecord(manifest)) return manifest;
  const present = { ...manifest, ...absentDefaults(manifest, schema) };
  return Object.fromEntries(
    Object.entries(present).map(([name, child]) => [name, withDefaults(child, schemaOf(name, schema))]),
  );
}

/**
 * What an agent runs that has no configuration at all, so that a fresh cluster can come up before its operator does.
 */
export function builtInConfig(): NodeConfig {
  const config = withDefaults({ spec: { mode: 'iptables' } }) as ProxyConfig;
  return nodeConfigOf(config.spec);
}

/** `field:` with nothing after it is null in YAML, and counts as absent where there is a default. */
function absentDefaults(record: Readonly<Record<string, unknown>>, schema: CrdSchema): Record<string, unknown> {
  const absent = Object.entries(schema.properties ?? {}).filter(
    ([name, child]) => child.default !== undefined && (ownValue(record, name) ?? null) === null,
  );
  return Object.fromEntries(absent.map(([name, child]) => [name, structuredClone(child.default)]));
}

function schemaOf(name: string, schema: CrdSchema): CrdSchema {
  return ownValue(schema.properties, name) ?? schema.additionalProperties ?? {};
}
