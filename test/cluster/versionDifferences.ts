/**
 * What has to be said differently to the programs of older Kubernetes versions. Pure.
 * @module
 */
import type { KubernetesVersion } from './kubernetesVersion.ts';

/** ServiceCIDRs are there by default from this minor version on (KEP-1880). */
const serviceCIDRMinor = 33;

/** Of kube-apiserver. */
export function apiServerDifferences(version: KubernetesVersion): string[] {
  return hasServiceCIDRs(version) ? [] : [serviceCIDRGate, '--runtime-config=networking.k8s.io/v1beta1=true'];
}

/** Of kube-controller-manager, which says that a ServiceCIDR may be used. */
export function controllerManagerDifferences(version: KubernetesVersion): string[] {
  return hasServiceCIDRs(version) ? [] : [serviceCIDRGate];
}

/** The version of the API that ServiceCIDRs have there. */
export function serviceCIDRVersion(version: KubernetesVersion): 'v1' | 'v1beta1' {
  return hasServiceCIDRs(version) ? 'v1' : 'v1beta1';
}

const serviceCIDRGate = '--feature-gates=MultiCIDRServiceAllocator=true';

function hasServiceCIDRs(version: KubernetesVersion): boolean {
  return Number(version.split('.')[1]) >= serviceCIDRMinor;
}
