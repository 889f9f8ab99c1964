/**
 * Whether this node can run ipvs mode at all: its tools, and what its kernel has. What has to be tried out is made under names of its own
 * and taken away at once.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import { CommandError } from '../../system/command.ts';
import { SyncError } from '../backend.ts';
import type { Tools } from './kernel.ts';
import type { SetId } from './sets.ts';
import { setDefinition } from './sets.ts';

interface Trial {
  /** What a kernel lacks that refuses it: in words, and the module and the option that give it. */
  readonly lacking: string;
  readonly run: () => Promise<void>;
}

/** Throws a SyncError that names all that is missing, with the remedy. */
export async function tryKernel(tools: Tools, family: IPFamily, { ipvs }: Pick<NodeConfig, 'ipvs'>): Promise<void> {
  const scheduler = ipvs?.scheduler ?? 'rr';
  // Without any virtual servers, none can be made with a scheduler either.
  const hasServers = await passes(() => tools.ipvsadm.probe());
  const trials: readonly Trial[] = [
    hasServers ? schedulerTrial(tools, family, scheduler) : { lacking: lack('no IP virtual servers', 'ip_vs', 'CONFIG_IP_VS'), run: () => tools.ipvsadm.probe() },
    { lacking: lack('no dummy network devices', 'dummy', 'CONFIG_DUMMY'), run: () => tryDevice(tools) },
    ...setTrials(tools, family),
  ];
  const missing: string[] = [];
  for (const { lacking, run } of trials) if (!(await passes(run))) missing.push(lacking);
  if (missing.length > 0) throw new SyncError('KernelModuleMissing', `this kernel has ${missing.join(', ')}; load what is named, or use a kernel with these options`);
}

function lack(what: string, module: string, option: string): string {
  return `${what} (modprobe ${module}; ${option})`;
}

async function passes(run: () => Promise<void>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (error instanceof CommandError && error.reason === 'Failed') return false;
    throw error;
  }
}

function schedulerTrial(tools: Tools, family: IPFamily, scheduler: string): Trial {
  const option = `CONFIG_IP_VS_${scheduler.toUpperCase()}`;
  const lacking = family === 'ipv4' ? lack(`no scheduler ${scheduler}`, `ip_vs_${scheduler}`, option) : lack(`no scheduler ${scheduler} for IPv6`, `ip_vs_${scheduler}`, `${option} and CONFIG_IP_VS_IPV6`);
  return { lacking, run: () => tryServer(tools, family, scheduler) };
}

/** A virtual server of packets with a mark that nobody sets, so that no packet ever finds it. */
const trialMark = 2_147_480_000;

async function tryServer({ ipvsadm }: Tools, family: IPFamily, scheduler: string): Promise<void> {
  const name = `-f ${trialMark}${family === 'ipv6' ? ' -6' : ''}`;
  await ipvsadm.restore([`-A ${name} -s ${scheduler}\n`]);
  await ipvsadm.restore([`-D ${name}\n`]);
}

async function tryDevice({ ip }: Tools): Promise<void> {
  await ip.batch(['link add kube-trial type dummy\nlink del kube-trial\n']);
}

const setTypes: readonly { readonly id: SetId; readonly module: string; readonly option: string }[] = [
  { id: 'KUBE-NODE-PORT-TCP', module: 'ip_set_bitmap_port', option: 'CONFIG_IP_SET_BITMAP_PORT' },
  { id: 'KUBE-IPVS-IPS', module: 'ip_set_hash_ip', option: 'CONFIG_IP_SET_HASH_IP' },
  { id: 'KUBE-CLUSTER-IP', module: 'ip_set_hash_ipport', option: 'CONFIG_IP_SET_HASH_IPPORT' },
  { id: 'KUBE-LOOP-BACK', module: 'ip_set_hash_ipportip', option: 'CONFIG_IP_SET_HASH_IPPORTIP' },
  { id: 'KUBE-LOAD-BALANCER-SOURCE-CIDR', module: 'ip_set_hash_ipportnet', option: 'CONFIG_IP_SET_HASH_IPPORTNET' },
];

function setTrials({ ipset }: Tools, family: IPFamily): readonly Trial[] {
  return setTypes.map(({ id, module, option }) => {
    const definition = setDefinition(id, family, 1024);
    const name = `KUBE-TRIAL-${family === 'ipv4' ? 4 : 6}`;
    return { lacking: lack(`no IP sets of type ${definition.split(' ')[0]}`, module, option), run: () => ipset.restore([`create ${name} ${definition}\ndestroy ${name}\n`]) };
  });
}
