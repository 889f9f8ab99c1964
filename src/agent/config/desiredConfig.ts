/**
 * The configuration that a node is to run, where it comes from, and its copy on the node's disk.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { builtInConfig, withDefaults } from '../../api/defaults.ts';
import { nodeConfigOf, type NodeConfig } from '../../api/nodeConfig.ts';
import type { NodeProxy } from '../../api/generated/nodeProxy.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigResource } from '../../api/resources.ts';
import { revisionOf } from '../../api/revision.ts';
import { validateProxyConfig } from '../../api/validation.ts';
import type { Refusal } from '../../backend/backend.ts';

/** A valid configuration with all defaults filled in. */
export interface DesiredConfig {
  readonly source: 'NodeProxy' | 'Saved' | 'BuiltIn';
  readonly config: NodeConfig;
  /** The operator's name for it; for one without, the hash of the configuration. */
  readonly revision: string;
}

/** For a node that has neither a NodeProxy nor a saved configuration. */
export function builtIn(): DesiredConfig {
  const config = builtInConfig();
  return { source: 'BuiltIn', config, revision: revisionOf(config) };
}

/**
 * The configuration of a NodeProxy, with defaults; a Refusal `ConfigInvalid` that names the first field that is wrong.
 * It is validated here because the NodeProxy's own schema does not cover `spec.config`.
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
 * The last configuration that was saved on this node; undefined when there is none. Throws when the file cannot be
 * read, is not JSON, or holds an invalid configuration.
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

/**
 * Replaces the saved configuration. A crash at any moment leaves the old file or the new one. Throws what the file
 * system does.
 */
export async function saveConfig(stateDirectory: string, { revision, config }: DesiredConfig): Promise<void> {
  await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
  const file = path.join(stateDirectory, fileName);
  const temporary = `${file}.tmp`;
  try {
    await writeDurably(temporary, `${JSON.stringify({ revision, config }, undefined, 2)}\n`);
    await rename(temporary, file);
  } catch (error) {
    // What it holds would only keep a full disk full.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
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
