/**
 * docs/reference/api.md against the CRDs themselves, read here anew: each field has its row, and nothing of what a
 * field asks for is left out.
 */
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import type { CrdSchema } from '../../src/api/crdSchema.ts';
import { kinds } from './admissionTable.ts';
import { constraintsOf } from './constraints.ts';

/** Without line breaks and what only keeps Markdown from seeing markup. */
const plain = (text: string): string => text.replaceAll(/\\(?=[*_<|])/g, '').replaceAll(/\s+/g, ' ');

const page = readFileSync('docs/reference/api.md', 'utf8');
const sections = new Map(
  page
    .split(/^#{2,3} /m)
    .slice(1)
    .map((section) => [section.slice(0, section.indexOf('\n')), section]),
);

interface Field {
  /** e.g. `ProxyConfig.spec.rollout.steps[]`: the heading under which the field stands. */
  readonly level: string;
  readonly name: string;
  readonly schema: CrdSchema;
  readonly isRequired: boolean;
}

/** All that has a name: the entries of lists of objects are a level, not a field. */
function fieldsOf(schema: CrdSchema, level: string): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, child]) => {
    const field = { level, name, schema: child, isRequired: schema.required?.includes(name) ?? false };
    return [field].concat(fieldsOf(child, `${level}.${name}`), fieldsOf(child.items ?? {}, `${level}.${name}[]`));
  });
}

const fields = kinds.flatMap(({ kind, schema }) => fieldsOf(schema, kind));

function cellsOf({ level, name }: Field): string[] {
  const row = new RegExp(`^\\| (?:\\[\`${name}\`\\]\\(#\\w+\\)|\`${name}\`) \\|.*$`, 'm').exec(
    sections.get(level) ?? '',
  );
  return row?.[0].split(/(?<!\\)\|/).map((cell) => cell.trim()) ?? [];
}

/** Words of which each must stand in the cell of bounds. */
function boundsOf(schema: CrdSchema): string[] {
  const own = constraintsOf({ ...schema, properties: {}, items: {}, additionalProperties: {} });
  const values = own.flatMap(({ what }) => (what in schema ? [schema[what as keyof CrdSchema]].flat() : []));
  const each = schema.items ?? schema.additionalProperties;
  return [...values.map(String), ...(each === undefined || each.properties ? [] : boundsOf(each))];
}

/** The heading under which a text of the field stands: its own, or that of the object that it is part of. */
const sectionsOf = ({ level, name }: Field): string =>
  [level, `${level}.${name}`, `${level}.${name}[]`].map((heading) => plain(sections.get(heading) ?? '')).join(' ');

describe('docs/reference/api.md', () => {
  describe('each field has a row', () => {
    test.each(fields)('$level $name', (field) => {
      const [, , type = '', byDefault = '', bounds = ''] = cellsOf(field);
      expect(type).not.toBe('');
      const { default: value } = field.schema;
      if (value === undefined) expect(byDefault).toBe(field.isRequired ? '**required**' : '–');
      else if (typeof value === 'string') expect(byDefault).toBe(`\`${value}\``);
      else expect(['of its fields', `\`${JSON.stringify(value)}\``]).toContain(byDefault);
      expect(bounds.split(/[\s`]|[,;](?= |$)/)).toEqual(expect.arrayContaining(boundsOf(field.schema)));
    });
  });

  test('every description stands where its field does, as a whole', () => {
    const missing = fields.flatMap((field) =>
      [field.schema, field.schema.items ?? {}]
        .map(({ description = '' }) => plain(description))
        .filter((description) => !sectionsOf(field).includes(description)),
    );
    expect(missing).toEqual([]);
  });

  test('every message of a rule stands where its field does', () => {
    const missing = fields.flatMap((field) =>
      [field.schema, field.schema.items ?? {}]
        .flatMap((schema) => schema['x-kubernetes-validations'] ?? [])
        .map(({ message = 'a rule without a message' }) => message)
        .filter((message) => !sectionsOf(field).includes(`- ${plain(message)}`)),
    );
    expect(missing).toEqual([]);
  });

  test('lines that are no rows of tables are at most 120 characters long', () => {
    expect(page.split('\n').filter((line) => line.length > 120 && !line.startsWith('|'))).toEqual([]);
  });
});

describe('npm run generate -- --check, in a copy', () => {
  const files = [
    'src/api/generated/proxyConfig.ts',
    'src/api/generated/nodeProxy.ts',
    'src/api/generated/schemas.ts',
    'docs/reference/api.md',
  ];
  let copy = '';

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), 'generate-'));
    await Promise.all(
      ['crds', 'src/api/generated', 'docs/reference', 'package.json'].map((path) =>
        cp(path, join(copy, path), { recursive: true }),
      ),
    );
    await symlink(resolve('node_modules'), join(copy, 'node_modules'));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  const check = async (): Promise<string[]> => {
    const { exitCode, stderr } = await execa(process.execPath, ['crds/generate.ts', '--check'], {
      cwd: copy,
      reject: false,
    });
    expect(exitCode).toBe(stderr === '' ? 0 : 1);
    return stderr.split('\n').map((line) => line.replace(/ is not current.*/, ''));
  };

  test.each(files)('names %s alone after an edit by hand, and when it is missing', async (file) => {
    const text = await readFile(file, 'utf8');
    await writeFile(join(copy, file), `${text}\n`);
    expect(await check()).toEqual([file]);
    await rm(join(copy, file));
    expect(await check()).toEqual([file]);
    await writeFile(join(copy, file), text);
    expect(await check()).toEqual(['']);
  });

  test('names each file that a changed description is in', async () => {
    const crd = join(copy, 'crds/proxyconfigs.yaml');
    await writeFile(crd, (await readFile(crd, 'utf8')).replace('Where NodePorts are served.', 'Elsewhere.'));
    expect(await check()).toEqual(files.filter((file) => !file.endsWith('nodeProxy.ts')));
  });
});
