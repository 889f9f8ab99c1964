/**
 * The linter is what keeps the layers apart, so it is tested like any other part: for each place of src, what may be
 * imported there; for other rules, a file that it must refuse.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { proxyModes } from '../src/api/nodeConfig.ts';

const floating =
  'export async function work(): Promise<void> {\n  await Promise.resolve();\n}\nexport function start(): void {\n  work();\n}\n';
const faults: readonly { name: string; file: string; text: string; rule: string }[] = [
  { name: 'a promise that nobody awaits', file: 'src/agent/floating.ts', text: floating, rule: 'no-floating-promises' },
  {
    name: 'a variable that nobody reads',
    file: 'src/agent/unread.ts',
    text: 'export function start(): void {\n  const unread = 1;\n}\n',
    rule: 'no-unused-vars',
  },
  {
    name: 'a module of a higher layer that is loaded later',
    file: 'src/model/later.ts',
    text: "export const later = (): Promise<unknown> => import('../kube/client.ts');\n",
    rule: 'no-restricted-imports',
  },
  {
    name: 'a key of somebody else looked up with what it inherits',
    file: 'src/model/inherited.ts',
    text: 'export function label(labels: Record<string, string>, key: string): unknown {\n  return labels[key];\n}\n',
    rule: 'own(keys)',
  },
  {
    name: 'a key of somebody else asked for with what it inherits',
    file: 'src/agent/watch/inherited.ts',
    text: 'export function has(labels: object, key: string): boolean {\n  return key in labels;\n}\n',
    rule: 'own(keys)',
  },
  {
    name: 'the environment read outside of config.ts',
    file: 'src/agent/environment.ts',
    text: "export const home = process.env['HOME'];\n",
    rule: 'no-process-env',
  },
];

/** One file of each part of src, as its imports name it. */
const parts: Readonly<Record<string, string>> = {
  api: 'src/api/nodeConfig.ts',
  model: 'src/model/service.ts',
  ipFamily: 'src/model/ipFamily.ts',
  protocol: 'src/model/protocol.ts',
  system: 'src/system/command.ts',
  kube: 'src/kube/client.ts',
  observability: 'src/observability/logger.ts',
  netfilter: 'src/netfilter/xtables/rule.ts',
  tools: 'src/netfilter/ipvs/tools/ipvsadm.ts',
  contract: 'src/backend/backend.ts',
  registry: 'src/backend/registry.ts',
  engine: 'src/backend/engine/kubeChains.ts',
  ...Object.fromEntries(proxyModes.map((mode) => [mode, `src/backend/${mode}/plan/plan.ts`])),
  agent: 'src/agent/agent.ts',
  operator: 'src/operator/operator.ts',
  cli: 'src/cli/commands.ts',
  config: 'src/config.ts',
  aborted: 'src/aborted.ts',
};
const modes: readonly string[] = proxyModes;
const families = ['ipFamily', 'protocol'];

interface Place {
  /** A folder, for a file in it; or a file. */
  readonly from: string;
  /** All parts that may be imported, but those that are left out. */
  readonly imports?: readonly string[];
  /** Parts whose types may be named, besides. */
  readonly types?: readonly string[];
}

const plan = ['api', 'model', ...families, 'netfilter', 'contract', 'engine', 'config', 'aborted'];
const runners = ['system', 'tools'];
const wiredBackend = [...plan, ...runners];
const inAgent = [
  'api',
  'model',
  ...families,
  'observability',
  'netfilter',
  'contract',
  'registry',
  'agent',
  'config',
  'aborted',
];
const inOperator = ['api', 'model', ...families, 'observability', 'operator', 'config', 'aborted'];

const places: readonly Place[] = [
  { from: 'src/api', imports: ['api'] },
  { from: 'src/model', imports: ['api', 'model', ...families] },
  ...['system', 'kube', 'observability'].map((name) => ({ from: `src/${name}`, imports: [name] })),
  ...['src/netfilter', 'src/netfilter/xtables'].map((from) => ({
    from,
    imports: [...families, 'system', 'netfilter'],
  })),
  { from: 'src/netfilter/ipset/tools', imports: [...families, 'system', 'netfilter', 'tools'] },
  { from: 'src/backend', imports: plan, types: runners },
  { from: 'src/backend/registry.ts', imports: [...wiredBackend, 'registry', ...modes] },
  { from: 'src/backend/engine', imports: plan, types: runners },
  ...['apply', 'leave'].map((folder) => ({ from: `src/backend/engine/${folder}`, imports: wiredBackend })),
  ...modes.flatMap((mode) => [
    { from: `src/backend/${mode}/plan`, imports: [...plan, mode], types: runners },
    ...['', '/apply', '/leave'].map((folder) => ({
      from: `src/backend/${mode}${folder}`,
      imports: [...wiredBackend, mode],
    })),
  ]),
  ...['', '/watch', '/kernel'].map((folder) => ({
    from: `src/agent${folder}`,
    imports: [...inAgent, 'kube', 'system', 'tools'],
  })),
  ...['config', 'conntrack', 'dataplane', 'healthcheck', 'metrics', 'status'].map((folder) => ({
    from: `src/agent/${folder}`,
    imports: inAgent,
    types: ['kube', 'system', 'tools'],
  })),
  ...['', '/watch', '/writes', '/operatorBase.ts'].map((folder) => ({
    from: `src/operator${folder}`,
    imports: [...inOperator, 'kube'],
  })),
  ...['rollout', 'status', 'events'].map((folder) => ({
    from: `src/operator/${folder}`,
    imports: inOperator,
    types: ['kube'],
  })),
  ...['', '/agent', '/render'].map((folder) => ({ from: `src/cli${folder}`, imports: without('engine', ...modes) })),
];

/** Imports that are no other part of src. */
const singleImports: readonly { from: string; imported: string; refused: boolean }[] = [
  { from: 'src/model', imported: 'node:fs', refused: true },
  { from: 'src/backend/ipvs/plan', imported: '../apply/writer.ts', refused: true },
  { from: 'src/backend/ipvs/plan', imported: '../leave/bridge.ts', refused: true },
  { from: 'src/backend/engine', imported: './apply/sync.ts', refused: true },
  { from: 'src/backend/ipvs/leave', imported: '../apply/kernel.ts', refused: false },
  { from: 'src/operator', imported: '@dot-i/k8s-operator', refused: true },
  { from: 'src/operator/watch', imported: '@dot-i/k8s-operator', refused: true },
  { from: 'src/operator/rollout', imported: '@dot-i/k8s-operator', refused: true },
  { from: 'src/operator/operatorBase.ts', imported: '@dot-i/k8s-operator', refused: false },
];

function without(...left: readonly string[]): readonly string[] {
  return Object.keys(parts).filter((part) => !left.includes(part));
}

/** The file of a place that has imports of every part. */
function fileIn({ from }: Pick<Place, 'from'>): string {
  return from.endsWith('.ts') ? from : `${from}/imports.ts`;
}

/** As the file of a place names a part. */
function specifier(place: Pick<Place, 'from'>, part: string): string {
  const path = relative(dirname(fileIn(place)), parts[part] ?? '');
  return path.startsWith('.') ? path : `./${path}`;
}

/** Texts by paths: for each place a file that imports every part, and what has to be tried there besides. */
function treeOf(keyword: 'import' | 'import type'): Map<string, string> {
  const files = new Map(faults.map(({ file, text }) => [file, text]));
  const add = (file: string, imported: string): void => {
    const text = files.get(file) ?? '';
    files.set(file, `${text}${keyword} { Name${text.length} } from '${imported}';\n`);
  };
  for (const place of places) for (const part of Object.keys(parts)) add(fileIn(place), specifier(place, part));
  for (const { from, imported } of singleImports) add(fileIn({ from }), imported);
  return files;
}

const repository = join(import.meta.dirname, '..');

/** What the linter says of a tree of these files; a line for each finding, which begins with its file. */
async function findingsIn(files: ReadonlyMap<string, string>): Promise<readonly string[]> {
  const tree = await mkdtemp(join(tmpdir(), 'lint-'));
  try {
    for (const name of ['.oxlintrc.json', '.ci/ownKeys.ts', 'tsconfig.json', 'package.json'])
      await cp(join(repository, name), join(tree, name));
    await symlink(join(repository, 'node_modules'), join(tree, 'node_modules'));
    for (const [file, text] of files) {
      await mkdir(dirname(join(tree, file)), { recursive: true });
      await writeFile(join(tree, file), text);
    }
    const run = ['--type-aware', '--format=unix', 'src'];
    const { stdout } = await execa('node_modules/.bin/oxlint', run, { cwd: tree, reject: false });
    return stdout.split('\n');
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

describe('linter', () => {
  let ofValues: readonly string[];
  let ofTypes: readonly string[];

  beforeAll(async () => {
    [ofValues, ofTypes] = await Promise.all([findingsIn(treeOf('import')), findingsIn(treeOf('import type'))]);
  });

  test.each(faults)('refuses $name', ({ file, rule }) => {
    expect(ofValues.filter((line) => line.startsWith(`${file}:`)).join('\n')).toContain(rule);
  });

  test.each(places)('lets $from import $imports', (place) => {
    expect(letPass(place, ofValues)).toEqual(partsOf(place));
  });

  test.each(places)('lets $from name types of the same and $types', (place) => {
    expect(letPass(place, ofTypes)).toEqual(partsOf(place, place.types));
  });

  test.each(singleImports)('of $imported in $from: refused $refused', ({ from, imported: single, refused }) => {
    expect(isRefused(fileIn({ from }), single, ofValues)).toBe(refused);
  });
});

function letPass(place: Place, findings: readonly string[]): string[] {
  return Object.keys(parts).filter((part) => !isRefused(fileIn(place), specifier(place, part), findings));
}

/** What may be imported there, in the order of `parts`. */
function partsOf({ imports = [] }: Place, types: readonly string[] = []): string[] {
  return Object.keys(parts).filter((part) => [...imports, ...types].includes(part));
}

function isRefused(file: string, what: string, findings: readonly string[]): boolean {
  return findings.some((line) => line.startsWith(`${file}:`) && line.includes(`'${what}' import is restricted`));
}
