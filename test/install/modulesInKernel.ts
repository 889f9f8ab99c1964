/**
 * Runs inside the kernel under test, none of whose modules is loaded: what the Pod of an agent does about that. Prints
 * what there is before and after, a line of JSON each.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { NodeConfig } from '../../src/api/nodeConfig.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { RunCommand } from '../../src/system/command.ts';
import { runCommand } from '../../src/system/command.ts';
import { defaultConfig } from '../support/serviceManifests.ts';
import { agentPod, missingModule, type ModulesReport } from './agentPod.ts';

const config: NodeConfig = { ...defaultConfig, mode: 'ipvs' };

/** As the agent's container runs it: also the tools try to load modules, and may not. */
const asAgent: RunCommand = (command) => {
  const capabilities = (agentPod.containers[0]?.securityContext.capabilities.add ?? []).map(
    (name) => `+${name.toLowerCase()}`,
  );
  return runCommand({
    ...command,
    file: '/usr/bin/setpriv',
    args: [`--bounding-set=-all,${capabilities.join()}`, command.file, ...command.args],
  });
};

async function report(when: ModulesReport['when'], words = ''): Promise<void> {
  const loaded = (await readFile('/proc/modules', 'utf8')).split('\n').map((line) => line.slice(0, line.indexOf(' ')));
  const files = await readFile(join('/run/uml/lib/modules', release(), 'modules.builtin'), 'utf8');
  const builtIn = files.split('\n').map((file) => basename(file, '.ko'));
  const refusals: string[] = [];
  for (const family of ipFamilies)
    refusals.push((await createBackend('ipvs', family, { run: asAgent }).preflight(config))?.message ?? 'none');
  const seen: ModulesReport = { when, loaded, builtIn, words, refusals };
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

await report('before');
const [loader] = agentPod.initContainers;
const [file = '', ...args] = [...(loader?.command ?? []), missingModule, ...(loader?.args ?? [])];
const { stderr } = await promisify(execFile)(file, args, {
  env: { ...process.env, MODPROBE_OPTIONS: '--dirname=/run/uml' },
});
await report('after', stderr);
