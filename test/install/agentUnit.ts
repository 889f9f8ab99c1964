/**
 * @module What docs/installing.md says of agents without Pods: the unit for systemd, the way to a kubeconfig, and the
 * overlay that keeps the DaemonSet off.
 */
import { codeBelow } from '../docs/pages.ts';

export const unitName = 'proxyconfig-agent.service';

/** A unit's directives in their order, without comments and sections. */
export type Directives = readonly (readonly [name: string, value: string])[];

function blockOf(language: string, holding: string): string {
  const blocks = codeBelow('docs/installing.md', '## Agents without Pods', language);
  const [block, ...others] = blocks.filter((text) => text.includes(holding));
  if (block === undefined || others.length > 0) throw new Error(`not one block of ${language} with "${holding}"`);
  return block;
}

export const agentUnit = blockOf('ini', '[Service]');
/** For node worker-1 and an API server at https://10.0.0.10:6443; needs kubectl and an administrator's kubeconfig. */
export const kubeconfigScript = blockOf('sh', 'create token');
/** For the DaemonSet, as kustomize takes it. */
export const overlayPatches = blockOf('yaml', 'proxyconfig-agent');

export function directivesOf(unit: string, section: string): Directives {
  const [, below = ''] = `\n${unit}`.split(`\n[${section}]\n`);
  const lines = (below.split(/^\[/m)[0] ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const equals = line.indexOf('=');
    return [line.slice(0, equals), line.slice(equals + 1)];
  });
}
