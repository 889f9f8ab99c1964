/**
 * @module All kustomizations of the repository: those to apply, and the components to add to an installation.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse, parseAllDocuments, stringify } from 'yaml';
import type { ApiServer } from '../cluster/apiServer.ts';

const repository = path.resolve(import.meta.dirname, '../..');

interface Kustomization {
  readonly directory: string;
  readonly kind: 'Kustomization' | 'Component';
}

function allKustomizations(): Kustomization[] {
  const files = readdirSync(path.join(repository, 'config'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => path.basename(file) === 'kustomization.yaml',
  );
  const directories = ['.', 'crds', ...files.map((file) => path.join('config', path.dirname(file)))].sort();
  return directories.map((directory) => ({
    directory,
    kind: (parse(readFileSync(path.join(repository, directory, 'kustomization.yaml'), 'utf8')) as Kustomization).kind,
  }));
}

const all = allKustomizations();
/** Each can be applied by itself. Relative to the repository. */
export const overlays = all.filter(({ kind }) => kind === 'Kustomization').map(({ directory }) => directory);
export const components = all.filter(({ kind }) => kind === 'Component').map(({ directory }) => directory);

/** Every choice of some of the items, none and all of them included. */
export function choicesOf<T>(items: readonly T[]): T[][] {
  return items.reduce<T[][]>((choices, item) => choices.flatMap((choice) => [choice, choice.concat([item])]), [[]]);
}

/** Calls `use` with the directory of an overlay that adds components to an installation, as a user writes it. */
export async function withOverlay<T>(
  { base, chosen }: { readonly base: string; readonly chosen: readonly string[] },
  use: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'proxyconfig-overlay-'));
  const from = (target: string): string => path.relative(directory, path.join(repository, target));
  const overlay = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: [from(base)],
    components: chosen.map(from),
  };
  try {
    await writeFile(path.join(directory, 'kustomization.yaml'), stringify(overlay));
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What `kubectl kustomize` makes of the directory, which must be without warnings. */
export async function render<Manifest>(
  { kubectl }: Pick<ApiServer, 'kubectl'>,
  directory: string,
): Promise<Manifest[]> {
  const { exitCode, stdout, stderr } = await kubectl(['kustomize', directory]);
  if (exitCode !== 0 || stderr !== '') throw new Error(`kubectl kustomize ${directory}: ${stderr}`);
  return parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
}
