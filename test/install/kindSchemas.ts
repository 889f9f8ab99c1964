/**
 * @module JSON schemas of all kinds that a real API server serves, its CRDs' among them, for validators that know
 * files: taken from its OpenAPI and closed, so that a field that no schema has is a fault.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '../../src/api/isRecord.ts';
import type { ApiServer } from '../cluster/apiServer.ts';
import { waitFor } from '../support/waitFor.ts';

interface OpenApi {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}
interface Kind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}
interface KindSchemas {
  /** For kubeconform's `-schema-location`. */
  readonly location: string;
  remove(): Promise<void>;
}

const kindsKey = 'x-kubernetes-group-version-kind';

/** Those of the server as it is once every CRD of it is published. */
export async function kindSchemas(server: ApiServer): Promise<KindSchemas> {
  const raw = async (path: string): Promise<unknown> =>
    JSON.parse((await server.kubectl(['get', '--raw', path])).stdout);
  const crds = ['proxyconfig.dev/v1alpha1', 'monitoring.coreos.com/v1'];
  const documents = await waitFor(
    'the OpenAPI of the CRDs',
    async () => {
      const { paths } = (await raw('/openapi/v3')) as { paths: Record<string, { serverRelativeURL: string }> };
      return crds.every((group) => paths[`apis/${group}`] !== undefined) && Object.values(paths);
    },
    { timeoutMs: 60_000 },
  );
  const directory = await mkdtemp(join(tmpdir(), 'kind-schemas-'));
  for (const { serverRelativeURL } of documents) await writeKinds(directory, (await raw(serverRelativeURL)) as OpenApi);
  return {
    location: join(directory, '{{.ResourceKind}}_{{.Group}}_{{.ResourceAPIVersion}}.json'),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

async function writeKinds(directory: string, { components: { schemas = {} } = {} }: OpenApi): Promise<void> {
  const components = { schemas: closed(schemas) };
  for (const [name, schema] of Object.entries(schemas)) {
    for (const { group, version, kind } of kindsOf(schema)) {
      // kubeconform takes the first part of an apiVersion for the group, also where it is the only one.
      const file = join(directory, `${kind.toLowerCase()}_${group || version}_${version}.json`);
      await writeFile(file, JSON.stringify({ $ref: `#/components/schemas/${name}`, components }));
    }
  }
}

/** Options of requests have the kinds of every group. */
function kindsOf(schema: unknown): readonly Kind[] {
  const kinds = isRecord(schema) ? schema[kindsKey] : undefined;
  return Array.isArray(kinds) && kinds.length === 1 ? (kinds as Kind[]) : [];
}

/** The same schemas, in which an object with named fields has no others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (!isRecord(schema)) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  const isOpen =
    schema['additionalProperties'] !== undefined || schema['x-kubernetes-preserve-unknown-fields'] === true;
  return isRecord(schema['properties']) && schema['type'] === 'object' && !isOpen
    ? { ...inner, additionalProperties: false }
    : inner;
}
