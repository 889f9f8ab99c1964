/**
 * @module checkov, at a version of its own in a Python environment of its own.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Finding } from './allowedFindings.ts';
import { cacheDirectory } from '../cluster/cacheDirectory.ts';
import { withLock } from '../cluster/lock.ts';

const version = '3.3.30';

interface Report {
  readonly results: { readonly failed_checks: readonly { readonly check_id: string; readonly resource: string }[] };
}

/** What it finds in these manifests, without a look at the network. */
export async function checkov(manifests: string): Promise<readonly Finding[]> {
  const program = await installed();
  const directory = await mkdtemp(join(tmpdir(), 'checkov-'));
  const file = join(directory, 'manifests.yaml');
  try {
    await writeFile(file, manifests);
    const flags = ['--framework', 'kubernetes', '--compact', '--quiet', '--skip-download', '-o', 'json'];
    const { stdout } = await execa(program, ['-f', file, ...flags], { reject: false });
    const { results } = JSON.parse(stdout) as Partial<Report>;
    return (results?.failed_checks ?? []).map(({ check_id: check, resource: object }) => ({ object, check }));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function installed(): Promise<string> {
  const folder = cacheDirectory('python', `checkov-${version}`);
  const program = join(folder, 'bin', 'checkov');
  await withLock(cacheDirectory('python', 'lock'), async () => {
    if (existsSync(program)) return;
    await rm(folder, { recursive: true, force: true });
    await execa('python3', ['-m', 'venv', folder]);
    await execa(join(folder, 'bin', 'pip'), ['install', '-q', `checkov==${version}`]);
  });
  return program;
}
