/**
 * Kubernetes manifests from files, directories and standard input: YAML or JSON, several documents, Lists.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments, type Document } from 'yaml';
import { isRecord } from '../../api/isRecord.ts';

/** One object of a manifest file. */
export interface Manifest {
  /** Where it stands, for people: a file's path, or `standard input`. */
  readonly source: string;
  readonly apiVersion: string;
  readonly kind: string;
  /** The object itself, as it was written. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** What was read, in the order of the files. */
export interface Manifests {
  readonly manifests: readonly Manifest[];
  /** What is no manifest, each with its source and the remedy. */
  readonly problems: readonly string[];
}

/**
 * The manifests of all `names`, each as after -f: a file, `-`, or a directory, whose own *.yaml, *.yml and *.json are
 * read, as kubectl does. Never rejects: what cannot be read is a problem.
 */
export async function readManifests(
  names: readonly string[],
  readStandardInput: () => Promise<string>,
): Promise<Manifests> {
  const sources = (await Promise.all(names.map((name) => sourcesOf(name, readStandardInput)))).flat();
  const found: Manifests[] = [];
  for (const { source, read } of sources) found.push(await parsed(source, read));
  return {
    manifests: found.flatMap(({ manifests }) => manifests),
    problems: found.flatMap(({ problems }) => problems),
  };
}

interface Source {
  readonly source: string;
  readonly read: () => Promise<string>;
}

async function sourcesOf(name: string, readStandardInput: () => Promise<string>): Promise<Source[]> {
  if (name === '-') return [{ source: 'standard input', read: readStandardInput }];
  const isDirectory = await stat(name).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const files = isDirectory ? await manifestFiles(name) : [name];
  if (files.length > 0) return files.map((file) => ({ source: file, read: () => readFile(file, 'utf8') }));
  return [
    { source: name, read: () => Promise.reject(new Error('there is no *.yaml, *.yml or *.json in this directory')) },
  ];
}

async function manifestFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory);
  return entries
    .filter((entry) => /\.(ya?ml|json)$/.test(entry))
    .sort()
    .map((entry) => path.join(directory, entry));
}

async function parsed(source: string, read: () => Promise<string>): Promise<Manifests> {
  try {
    return parseManifests(source, await read());
  } catch (error) {
    return {
      manifests: [],
      problems: [`${source}: cannot be read: ${error instanceof Error ? error.message : String(error)}`],
    };
  }
}

/** The manifests of one text, in YAML or JSON: Lists as their items, without empty documents. */
export function parseManifests(source: string, text: string): Manifests {
  const documents = [...parseAllDocuments(text, { merge: true, prettyErrors: true })] as Document.Parsed[];
  const broken = documents
    .flatMap(({ errors }) => errors)
    .map((error) => `${source}: not YAML: ${error.message.split('\n')[0] ?? ''}`);
  if (broken.length > 0) return { manifests: [], problems: broken };
  const values = documents
    .map((document) => document.toJS() as unknown)
    .filter((value) => value !== null && value !== undefined);
  const objects = values.flatMap((value) => membersOf(value));
  const manifests = objects.flatMap((object) => manifestOf(source, object) ?? []);
  const problems = objects
    .filter((object) => manifestOf(source, object) === undefined)
    .map(() => `${source}: a document without apiVersion and kind is no Kubernetes object; add them`);
  return { manifests, problems };
}

/** A List's items; those of a typed list (ServiceList) may leave their kind to the list. */
function membersOf(value: unknown): unknown[] {
  if (
    !isRecord(value) ||
    typeof value['kind'] !== 'string' ||
    !value['kind'].endsWith('List') ||
    !Array.isArray(value['items'])
  )
    return [value];
  const { apiVersion, kind, items } = value;
  const inherited = kind === 'List' ? {} : { apiVersion, kind: kind.slice(0, -'List'.length) };
  return items.map((item: unknown) => (isRecord(item) ? Object.assign({}, inherited, item) : item));
}

function manifestOf(source: string, object: unknown): Manifest | undefined {
  if (!isRecord(object)) return undefined;
  const { apiVersion, kind } = object;
  return typeof apiVersion === 'string' && typeof kind === 'string' ? { source, apiVersion, kind, object } : undefined;
}
