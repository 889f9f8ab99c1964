/** @module Which clusters an installation is followed in, and why one of them cannot be had here. */
import type { NetworkFamily } from '../cluster/addresses.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { chosenKubernetes, type KubernetesVersion, KubernetesVersionError } from '../cluster/kubernetesVersion.ts';
import { reasonAgainst } from '../support/requirements.ts';

export interface Ground {
  readonly family: NetworkFamily;
  readonly kubernetes: KubernetesVersion;
  /** Why there cannot be such a cluster here. */
  readonly reason?: string | undefined;
}

/** Of the Kubernetes that all tests run on. */
export function usualGround(family: NetworkFamily): Ground {
  return { family, kubernetes: chosenKubernetes(), reason: reasonAgainst('root') ?? reasonAgainst('cluster') };
}

/** Of another Kubernetes. Builds what is missing of it, which takes minutes the first time. */
export async function otherGround(kubernetes: KubernetesVersion): Promise<Ground> {
  const ground = { ...usualGround('dual'), kubernetes };
  if (ground.reason !== undefined) return ground;
  try {
    await ensureBinaries({ kubernetes, progress: (line) => process.stderr.write(`${line}\n`) });
    return ground;
  } catch (error) {
    if (error instanceof KubernetesVersionError) return { ...ground, reason: error.message };
    throw error;
  }
}
