/**
 * What a node is to run, where that comes from, and the copy of it that outlives the agent and the API server.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { builtInConfig, withDefaults } from '../api/defaults.ts';
import { nodeConfigOf, type NodeConfig } from '../api/nodeConfig.ts';
import type { NodeProxy } from '../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigResource } from '../api/resources.ts';
import { revisionOf } from '../api/revision.ts';
import { validateProxyConfig } from '../api/validation.ts';
import type { Refusal } from '../backend/backend.ts';

export interface DesiredConfig {
  readonly source: 'NodeProxy' | 'Saved' | 'BuiltIn';
  readonly config: NodeConfig;
  readonly revision: string;
}

export function builtIn(): DesiredConfig {
  const config = builtInConfig();
  return { source: 'BuiltIn', config, revision: revisionOf(config) };
}

/**
 * A configuration that passed admission can still be wrong: the NodeProxy's own schema does not look into
 * `spec.config`.
 */
export function configOfNodeProxy(spec: NodeProxy['spec']): DesiredConfig | Refusal {
  const config = readConfig(spec.config);
  return 'config' in config ? { source: 'NodeProxy', config: config.config, revision: spec.revision } : config;
}

function readConfig(config: unknown): { config: NodeConfig } | Refusal {
  const manifest = {
    apiVersion,
    kind: proxyConfigResource.kind,
    metadata: { name: 'node' },
    spec: config,
  };
  const [violation] = validateProxyConfig(manifest);
  if (violation !== undefined) return { reason: 'ConfigInvalid', message: `${violation.field} ${violation.message}` };
  return { config: nodeConfigOf((withDefaults(manifest) as ProxyConfig).spec) };
}

const fileName = 'last-good-config.json';

/**
 * The last configuration that was in force on this node; undefined when there is none. Throws when there is one that
 * cannot be used.
 */
export async function loadSavedConfig(stateDirectory: string): Promise<DesiredConfig | undefined> {
  const file = path.join(stateDirectory, fileName);
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const saved = JSON.parse(text) as { revision?: unknown; config?: unknown };
  const config = readConfig(saved.config);
  if (!('config' in config)) throw new Error(`${file}: ${config.message}`);
  return {
    source: 'Saved',
    config: config.config,
    revision: typeof saved.revision === 'string' ? saved.revision : revisionOf(config.config),
  };
}

/** A crash at any moment leaves the old file or the new one, never a part of one. */
export async function saveConfig(stateDirectory: string, { revision, config }: DesiredConfig): Promise<void> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const file = path.join(stateDirectory, fileName);
  const temporary = `${file}.tmp`;
  await writeDurably(temporary, `${JSON.stringify({ revision, config }, undefined, 2)}\n`);
  await rename(temporary, file);
  await syncDirectory(stateDirectory);
}

async function writeDurably(file: string, text: string): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
