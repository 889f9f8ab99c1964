/**
 * Which Kubernetes runs: that of the committed Go module, or the one that the environment variable KUBERNETES names.
 *
 * Only Node's own modules are imported here, as in binaries.ts.
 * @module
 */
import { goFolder, requiredVersion } from './goModules.ts';

/** As Go and Kubernetes write it, e.g. `v1.37.2`. */
export type KubernetesVersion = `v1.${string}`;

/** A version that cannot be had; the message names KUBERNETES and the remedy. */
export class KubernetesVersionError extends Error {}

/** The oldest minor version that is supported: docs/VERSIONING.md says why. */
export const oldestMinor = 32;

/** What the full tests install the product on, besides the default: the oldest that is supported, and the next one. */
export const furtherVersions: readonly KubernetesVersion[] = ['v1.32.13', 'v1.38.0-beta.0'];

const form = /^v?1\.((\d{2,3})\.\d{1,3}(?:-(?:alpha|beta|rc)\.\d{1,3})?)$/;

/** The version that the programs of the committed module have. */
export function defaultKubernetes(): KubernetesVersion {
  return requiredVersion(goFolder('kubernetes'), 'k8s.io/kubernetes') as KubernetesVersion;
}

/** The version that this process is to run; throws where KUBERNETES is set to something else than one. */
export function chosenKubernetes(environment: NodeJS.ProcessEnv = process.env): KubernetesVersion {
  const chosen = environment['KUBERNETES'] ?? '';
  return chosen === '' ? defaultKubernetes() : parseKubernetesVersion(chosen);
}

/** Reads `1.36.3`, `v1.36.3` or `1.38.0-beta.0`; throws what KUBERNETES may be instead. */
export function parseKubernetesVersion(text: string): KubernetesVersion {
  const [, rest, minor] = form.exec(text) ?? [];
  if (rest === undefined) throw unusable(text, 'that is no version of Kubernetes');
  if (Number(minor) < oldestMinor) throw unusable(text, `the oldest version that is supported is 1.${oldestMinor}`);
  return `v1.${rest}`;
}

/** For a version that there is no way to run, and why. */
export function unusable(version: string, reason: string, options: ErrorOptions = {}): KubernetesVersionError {
  return new KubernetesVersionError(
    `KUBERNETES=${version.replace(/^v/, '').slice(0, 40)}: ${reason}. ` +
      `Set it to a version that is released, such as KUBERNETES=1.36.3, or leave it out to run ${defaultKubernetes()}.`,
    options,
  );
}
