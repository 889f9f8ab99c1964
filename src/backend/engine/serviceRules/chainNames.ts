/**
 * Names of the chains that belong to one Service port: kube-proxy's, so that its runbooks work and its rules are taken
 * over in place.
 */
import { hash } from 'node:crypto';
import type { Endpoint, ServicePort } from '../../../model/servicePort.ts';
import { servicePortName, socketAddress } from '../../../model/servicePort.ts';

export type ServicePortId = Pick<ServicePort, 'namespace' | 'serviceName' | 'portName' | 'protocol'>;

export interface ServicePortChains {
  /** The balancer over the cluster's endpoints. */
  readonly cluster: string;
  /** The balancer over this node's endpoints. */
  readonly local: string;
  /** Where traffic for addresses that the outside world sees enters. */
  readonly external: string;
  /** Source ranges of load balancer addresses. */
  readonly firewall: string;
  readonly endpoint: (endpoint: Endpoint) => string;
}

/**
 * The names are computed when they are needed and not cached: 40,000 take 100 ms, and holding them would cost more than
 * a sync gains.
 */
export function servicePortChains(port: ServicePortId): ServicePortChains {
  const id = servicePortName(port) + port.protocol.toLowerCase();
  const suffix = nameHash(id);
  return {
    cluster: `KUBE-SVC-${suffix}`,
    local: `KUBE-SVL-${suffix}`,
    external: `KUBE-EXT-${suffix}`,
    firewall: `KUBE-FW-${suffix}`,
    endpoint: (endpoint) => `KUBE-SEP-${nameHash(id + socketAddress(endpoint))}`,
  };
}

const base32Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The first 16 characters of the RFC 4648 base32 form of the SHA-256 hash: 80 bits. */
export function nameHash(text: string): string {
  const digest = hash('sha256', text, 'hex');
  return base32(digest.slice(0, 10)) + base32(digest.slice(10, 20));
}

/** 40 bits, which a number holds exactly, as eight characters. */
function base32(hex: string): string {
  let rest = Number.parseInt(hex, 16);
  let text = '';
  for (let index = 0; index < 8; index += 1) {
    text = `${base32Alphabet[rest % 32]}${text}`;
    rest = Math.floor(rest / 32);
  }
  return text;
}

const bucketName = /^KUBE-SB-([0-9A-F]{8}|[A-Z2-7]{16})-\d{1,3}$/;

/** Chains that only this project has, which lead to the Services of a network. */
export function isBucketChain(name: string): boolean {
  return bucketName.test(name);
}

/** XLB is what kube-proxy had in place of EXT and SVL before 1.24; it leads to chains that are ours now. */
const serviceChainName = /^KUBE-(SVC|SVL|EXT|FW|SEP|XLB)-[A-Z2-7]{16}$/;

/** How a restarted agent recognizes the chains of Services, and those that lead to them, its own and kube-proxy's. */
export function isServiceChain(name: string): boolean {
  return serviceChainName.test(name) || isBucketChain(name);
}
