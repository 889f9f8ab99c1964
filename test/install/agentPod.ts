/**
 * @module The Pod of an agent as config/agent has it, and what is seen of it in the kernel under test.
 */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly securityContext: { readonly capabilities: { readonly add: readonly string[] } };
  readonly volumeMounts: readonly { readonly name: string }[];
}

interface PodSpec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly object[];
}

const manifest = readFileSync(new URL('../../config/agent/daemonset.yaml', import.meta.url), 'utf8');
export const agentPod = (parse(manifest) as { readonly spec: { readonly template: { readonly spec: PodSpec } } }).spec
  .template.spec;

/** Asked for before all others. */
export const missingModule = 'no_such_module';

export interface ModulesReport {
  readonly when: 'before' | 'after';
  readonly loaded: readonly string[];
  /** What other kernels have as modules and this one does not. */
  readonly builtIn: readonly string[];
  /** What the program that loads them said on standard error. */
  readonly words: string;
  /** What speaks against mode ipvs, for each IP family. */
  readonly refusals: readonly string[];
}
