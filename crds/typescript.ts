/**
 * TypeScript from a CustomResourceDefinition: the types of its objects as the API server returns them (a field with a
 * default is never absent), and its schema as data for offline defaulting and validation.
 */
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import type { CrdSchema } from '../src/api/crdSchema.ts';
import { versionOf, type Definition } from './definition.ts';
import { wrap } from './wrap.ts';

const banner = '// Generated from crds/ by `npm run generate`; do not edit.\n';

/** Keywords that say nothing about the type; bounds on arrays would become unions of tuples. */
const dropped = /^(x-kubernetes-.*|default|minItems|maxItems)$/;

/**
 * The schema in plain JSON Schema: defaulted fields required, int-or-string as a union, Kubernetes' own keywords
 * dropped.
 */
function asReturnedByServer(schema: CrdSchema): JSONSchema {
  const plain: JSONSchema = Object.fromEntries(Object.entries(schema).filter(([keyword]) => !dropped.test(keyword)));
  if (schema['x-kubernetes-int-or-string'] === true) plain['type'] = ['integer', 'string'];
  if (schema.items) plain['items'] = asReturnedByServer(schema.items);
  if (schema.properties) {
    const defaulted = Object.entries(schema.properties)
      .filter(([, child]) => 'default' in child)
      .map(([name]) => name);
    plain['properties'] = Object.fromEntries(
      Object.entries(schema.properties).map(([name, child]) => [name, asReturnedByServer(child)]),
    );
    plain['required'] = [...new Set([...(schema.required ?? []), ...defaulted])];
    plain['additionalProperties'] = schema['x-kubernetes-preserve-unknown-fields'] === true;
  }
  return plain;
}

/** The whole object's schema: `metadata` in a CRD names only what it restricts, so the common fields are added here. */
function objectSchema(schema: CrdSchema): JSONSchema {
  const plain = asReturnedByServer(schema) as JSONSchema & { properties: Record<string, JSONSchema> };
  const metadata: JSONSchema = { type: 'object', tsType: "import('../objectMeta.ts').ObjectMeta" };
  return {
    ...plain,
    properties: { ...plain.properties, metadata, apiVersion: { type: 'string' }, kind: { type: 'string' } },
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
  };
}

/** The module that exports the type of a kind's objects. */
export async function typesModule(definition: Definition): Promise<string> {
  const schema = versionOf(definition).schema.openAPIV3Schema;
  const types = await compile(objectSchema(schema), definition.spec.names.kind, {
    bannerComment: '',
    format: true,
    style: { singleQuote: true, printWidth: 120 },
  });
  return `${banner}\n${types.replaceAll(/( *)\/\*\*\n([^]*?)\n *\*\//g, (_comment, indent: string, body: string) => docComment(indent, body))}`;
}

/** A description as a doc comment of lines up to 120 characters; on one line where it fits. */
function docComment(indent: string, body: string): string {
  const paragraphs = body.split('\n').map((line) => line.replace(/^ *\* ?/, ''));
  const lines = paragraphs.flatMap((paragraph) => wrap(paragraph, 120 - indent.length - 3));
  const [only = '', ...more] = lines;
  if (more.length === 0 && indent.length + only.length <= 113) return `${indent}/** ${only} */`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */`;
}

/** The module that exports the schemas of all kinds. */
export function schemasModule(definitions: readonly Definition[]): string {
  const constants = definitions.map((definition) => `\n${schemaConstant(definition)}`);
  return `${banner}import type { CrdSchema } from '../crdSchema.ts';\n${constants.join('')}`;
}

function schemaConstant(definition: Definition): string {
  const { kind, singular } = definition.spec.names;
  const schema = versionOf(definition).schema.openAPIV3Schema;
  return `/** The ${kind} CRD's schema, for offline defaulting and validation. */\nexport const ${singular}Schema: CrdSchema = ${JSON.stringify(schema, null, 2)};\n`;
}
