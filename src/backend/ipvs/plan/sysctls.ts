/**
 * The kernel settings that ipvs mode needs, as kube-proxy sets them (1.37). They are never set back.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';

export interface Setting {
  readonly name: string;
  readonly value: string;
}

/**
 * From here on the kernel reuses a client's port for a new connection without a wait of a second (Linux f0a5e4d7a594),
 * so the choice is left to it.
 */
const reusesPortsWell: readonly [number, number] = [5, 9];

export const release = 'kernel/osrelease';

/** All that may be needed. */
export const sysctlNames: readonly string[] = [
  'net/ipv4/vs/conntrack',
  'net/ipv4/vs/expire_nodest_conn',
  'net/ipv4/vs/expire_quiescent_template',
  'net/ipv4/vs/conn_reuse_mode',
  'net/ipv4/ip_forward',
  'net/ipv4/conf/all/arp_ignore',
  'net/ipv4/conf/all/arp_announce',
];

/** The settings and the values that they must have. `kernel`: its release as uname has it, e.g. `6.1.0-18-amd64`. */
export function neededSysctls(config: NodeConfig, family: IPFamily, kernel: string): readonly Setting[] {
  const always: readonly Setting[] = [
    // Without it the rules could not masquerade what ip_vs leads on.
    { name: 'net/ipv4/vs/conntrack', value: '1' },
    // A client of a real server that is gone gets another one with its next packet.
    { name: 'net/ipv4/vs/expire_nodest_conn', value: '1' },
    { name: 'net/ipv4/vs/expire_quiescent_template', value: '1' },
    ...(isBefore(kernel, reusesPortsWell) ? [{ name: 'net/ipv4/vs/conn_reuse_mode', value: '0' }] : []),
  ];
  const forwarding: readonly Setting[] = family === 'ipv4' ? [{ name: 'net/ipv4/ip_forward', value: '1' }] : [];
  const arp: readonly Setting[] = [
    { name: 'net/ipv4/conf/all/arp_ignore', value: '1' },
    { name: 'net/ipv4/conf/all/arp_announce', value: '2' },
  ];
  return [...always, ...forwarding, ...(config.ipvs?.strictARP === true ? arp : [])];
}

function isBefore(kernel: string, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, oursMinor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  return ours < major || (ours === major && oursMinor < minor);
}
