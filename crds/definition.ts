/**
 * The CustomResourceDefinitions in this folder, as far as they are generated from: one version each, with its schema.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { CrdSchema } from '../src/api/crdSchema.ts';

export interface Definition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly singular: string;
      readonly plural: string;
      readonly shortNames?: readonly string[];
    };
    readonly versions: readonly Version[];
  };
}
interface Version {
  readonly name: string;
  readonly selectableFields?: readonly { readonly jsonPath: string }[];
  readonly schema: { readonly openAPIV3Schema: CrdSchema };
}

/** Throws when the file holds no version. */
export function readDefinition(file: string): Definition {
  const definition = parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Definition;
  versionOf(definition, file);
  return definition;
}

/** The one version that is served. */
export function versionOf({ spec }: Definition, name = spec.names.plural): Version {
  const [version] = spec.versions;
  if (version === undefined) throw new Error(`${name}: no version with a schema`);
  return version;
}
