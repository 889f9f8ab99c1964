/**
 * The API reference as a page of Markdown: a heading for each level of objects, a table of its fields, and below it the
 * messages of its CEL rules.
 */
import type { CrdSchema } from '../src/api/crdSchema.ts';
import { versionOf, type Definition } from './definition.ts';
import { boundWords, defaultWords, objectOf, typeWords } from './fieldWords.ts';
import { wrap } from './wrap.ts';

/** An object of the API, or what the entries of a list are. */
interface Level {
  /** e.g. `ProxyConfig.spec.rollout.steps[]` */
  readonly path: string;
  readonly schema: CrdSchema;
  /** The list's or the object's own description. */
  readonly description: string;
}

const width = 120;

const about = [
  'Every field of the objects of `proxyconfig.dev`, made from the [CustomResourceDefinitions](../../crds).',
  'In a cluster `kubectl explain pxc.spec` and `kubectl explain nodeproxy.status` say the same.',
];
const legend = [
  'Under *default*, **required** means that an object without the field is refused, and a dash that the field may be',
  'left out and then is absent. *Of its fields* means that an object left out is filled in with the defaults of its',
  'fields. What the tables cannot say stands below them as rules; each is the message with which the API server refuses.',
];

function opening(): string {
  const banner = '<!-- Generated from crds/ by `npm run generate`; do not edit. -->';
  return [banner, '# API reference', paragraph(about.join(' ')), paragraph(legend.join(' ')), ''].join('\n\n');
}

export function referencePage(definitions: readonly Definition[]): string {
  return opening() + definitions.map(kindSection).join('\n');
}

function kindSection(definition: Definition): string {
  const { group, scope, names } = definition.spec;
  const version = versionOf(definition);
  const shortNames = (names.shortNames ?? []).map((name) => `, in short \`${name}\``).join('');
  const selectors = (version.selectableFields ?? []).map(({ jsonPath }) => `\`${jsonPath.slice(1)}\``).join(', ');
  const facts = `\`apiVersion: ${group}/${version.name}\`, \`kind: ${names.kind}\`. Scope: ${scope}. For kubectl: \`${names.plural}\`${shortNames}. Field selectors: ${selectors}.`;
  const schema = version.schema.openAPIV3Schema;
  const levels = levelsBelow({ path: names.kind, schema, description: schema.description ?? '' });
  return [`## ${names.kind}\n\n${paragraph(facts)}\n`, ...levels.map(levelSection)].join('\n');
}

/** The level itself and all below it, in the order of the schema. */
function levelsBelow(level: Level): Level[] {
  const below = Object.entries(level.schema.properties ?? {}).flatMap(([name, child]) => {
    const schema = objectOf(child);
    if (schema === undefined) return [];
    const description = [child.description, child.items?.description].filter(Boolean).join(' ');
    return levelsBelow({ path: `${level.path}.${name}${child.items ? '[]' : ''}`, schema, description });
  });
  return [level, ...below];
}

function levelSection(level: Level): string {
  const isKind = !level.path.includes('.');
  const description = level.description === '' ? [] : [paragraph(escaped(level.description))];
  const rules = rulesOf(level.schema).map((rule) => listItem(escaped(rule)));
  return [
    ...(isKind ? [] : [`### ${level.path}`]),
    ...description,
    tableOf(level),
    ...(rules.length === 0 ? [] : [`Rules:\n\n${rules.join('\n')}`]),
  ]
    .map((block) => `${block}\n`)
    .join('\n');
}

function tableOf({ path, schema }: Level): string {
  const rows = Object.entries(schema.properties ?? {}).map(([name, child]) => {
    const isRequired = schema.required?.includes(name) ?? false;
    return [
      fieldCell(path, name, child),
      typeWords(child),
      defaultWords(child, isRequired),
      boundWords(child),
      descriptionCell(child),
    ];
  });
  const lines = rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`);
  return ['| field | type | default | bounds | description |', '|---|---|---|---|---|', ...lines].join('\n');
}

/** The name, which leads to the section of its own where the field has one. */
function fieldCell(path: string, name: string, child: CrdSchema): string {
  if (objectOf(child) === undefined) return `\`${name}\``;
  return `[\`${name}\`](#${anchor(`${path}.${name}`)})`;
}

/** As GitHub makes the anchor of a heading: dots and brackets go. */
function anchor(path: string): string {
  return path.toLowerCase().replaceAll(/[^\w-]/g, '');
}

/** All of it, or the first sentence where a section has the rest. */
function descriptionCell(child: CrdSchema): string {
  const text = child.description ?? '';
  const [first = ''] = text.split(/(?<=[^.]{4}\.) (?=[A-Z])/);
  return escaped(objectOf(child) === undefined ? text : first);
}

/** Messages of the object's own rules, and of its fields that have no section and their entries. */
function rulesOf(schema: CrdSchema): string[] {
  const ofFields = Object.values(schema.properties ?? {}).flatMap((child) =>
    child.properties ? [] : [child, objectOf(child) ? undefined : child.items].flatMap(messagesOf),
  );
  return [...messagesOf(schema), ...ofFields];
}

function messagesOf(schema: CrdSchema | undefined): string[] {
  return (schema?.['x-kubernetes-validations'] ?? []).map(({ message = '' }) => message);
}

/** What Markdown would take for markup outside of code. */
function escaped(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? part : part.replaceAll(/[*<]|(?<!\w)_|_(?!\w)/g, '\\$&')))
    .join('`');
}

function paragraph(text: string): string {
  return wrap(text, width).join('\n');
}

function listItem(text: string): string {
  return `- ${wrap(text, width - 2).join('\n  ')}`;
}
