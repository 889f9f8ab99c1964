/**
 * The linter is what keeps the layers apart, so it is tested like any other part: each row is a file that it must
 * refuse.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const floating =
  'export async function work(): Promise<void> {\n  await Promise.resolve();\n}\nexport function start(): void {\n  work();\n}\n';
const importing = (what: string): string => `import { it } from '${what}';\nexport const same = it;\n`;

const refused: readonly { name: string; file: string; text: string; rule: string }[] = [
  { name: 'a promise that nobody awaits', file: 'src/agent/x.ts', text: floating, rule: 'no-floating-promises' },
  {
    name: 'a variable that nobody reads',
    file: 'src/agent/x.ts',
    text: 'export function start(): void {\n  const unread = 1;\n}\n',
    rule: 'no-unused-vars',
  },
  {
    name: 'api imports the model',
    file: 'src/api/x.ts',
    text: importing('../model/service.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'the model imports the API server',
    file: 'src/model/x.ts',
    text: importing('../kube/client.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'a plan runs a tool',
    file: 'src/backend/iptables/plan/plan.ts',
    text: importing('../../system/command.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'netfilter imports a proxy mode',
    file: 'src/netfilter/xtables/x.ts',
    text: importing('../../backend/registry.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'a rim takes a decision of a backend',
    file: 'src/system/x.ts',
    text: importing('../backend/registry.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'the operator calls the agent',
    file: 'src/operator/x.ts',
    text: importing('../agent/agent.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'the agent calls the operator',
    file: 'src/agent/x.ts',
    text: importing('../operator/operator.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'a decision of the agent reaches the API server',
    file: 'src/agent/x.ts',
    text: importing('../kube/client.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'a decision of the agent runs a tool',
    file: 'src/agent/x.ts',
    text: importing('../system/command.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'a decision of the operator reaches the API server',
    file: 'src/operator/x.ts',
    text: importing('../kube/client.ts'),
    rule: 'no-restricted-imports',
  },
  {
    name: 'the environment read outside of config.ts',
    file: 'src/agent/x.ts',
    text: "export const home = process.env['HOME'];\n",
    rule: 'no-process-env',
  },
];

const repository = join(import.meta.dirname, '..');
let tree: string;

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'lint-'));
  for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json'])
    await cp(join(repository, name), join(tree, name));
  await symlink(join(repository, 'node_modules'), join(tree, 'node_modules'));
});

afterAll(async () => {
  await rm(tree, { recursive: true, force: true });
});

describe('linter', () => {
  test.each(refused)('refuses $name', async ({ file, text, rule }) => {
    const path = join(tree, file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    const { stdout } = await execa('node_modules/.bin/oxlint', ['--type-aware', '--format=unix', file], {
      cwd: tree,
      reject: false,
    });
    await rm(path);
    expect(stdout).toContain(rule);
  });
});
