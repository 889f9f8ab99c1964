/**
 * Writes `src/api/generated/` from the CustomResourceDefinitions in this folder, so that the CRDs stay the one source of
 * the API: TypeScript types as the API server returns the objects (a field with a default is never absent), and the
 * schemas as data for offline defaulting and validation.
 *
 * `node crds/generate.ts` writes; `node crds/generate.ts --check` exits 1 when a written file is not current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { parse } from 'yaml';

interface Definition {
  spec: { names: { kind: string; singular: string }; versions: { schema: { openAPIV3Schema: Schema } }[] };
}
interface Schema {
  [keyword: string]: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
}

const banner = '// Generated from crds/ by `npm run generate`; do not edit.\n';
const files = [
  { crd: 'proxyconfigs.yaml', output: 'proxyConfig.ts' },
  { crd: 'nodeproxies.yaml', output: 'nodeProxy.ts' },
];

/** Keywords that say nothing about the type; bounds on arrays would become unions of tuples. */
const dropped = /^(x-kubernetes-.*|default|minItems|maxItems)$/;

/**
 * The schema in plain JSON Schema: defaulted fields required, int-or-string as a union, Kubernetes' own keywords
 * dropped.
 */
function asReturnedByServer(schema: Schema): JSONSchema {
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
function objectSchema(schema: Schema): JSONSchema {
  const plain = asReturnedByServer(schema) as JSONSchema & { properties: Record<string, JSONSchema> };
  const metadata: JSONSchema = { type: 'object', tsType: "import('../objectMeta.ts').ObjectMeta" };
  return {
    ...plain,
    properties: { ...plain.properties, metadata, apiVersion: { type: 'string' }, kind: { type: 'string' } },
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
  };
}

async function typesOf({ spec }: Definition, schema: Schema): Promise<string> {
  const types = await compile(objectSchema(schema), spec.names.kind, {
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

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function schemaConstant({ spec }: Definition, schema: Schema): string {
  const name = `${spec.names.singular}Schema`;
  return `/** The ${spec.names.kind} CRD's schema, for offline defaulting and validation. */\nexport const ${name}: CrdSchema = ${JSON.stringify(schema, null, 2)};\n`;
}

async function generate(): Promise<Record<string, string>> {
  const written: Record<string, string> = {
    'schemas.ts': `${banner}import type { CrdSchema } from '../crdSchema.ts';\n`,
  };
  for (const { crd, output } of files) {
    const definition = parse(readFileSync(new URL(crd, import.meta.url), 'utf8')) as Definition;
    const schema = definition.spec.versions[0]?.schema.openAPIV3Schema;
    if (!schema) throw new Error(`${crd}: no version with a schema`);
    written[output] = await typesOf(definition, schema);
    written['schemas.ts'] += `\n${schemaConstant(definition, schema)}`;
  }
  return written;
}

const check = process.argv.includes('--check');
for (const [output, text] of Object.entries(await generate())) {
  const url = new URL(`../src/api/generated/${output}`, import.meta.url);
  if (!check) writeFileSync(url, text);
  else if (readFileSync(url, 'utf8') !== text) {
    console.error(`src/api/generated/${output} is not current: run npm run generate`);
    process.exitCode = 1;
  }
}
