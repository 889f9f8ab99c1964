/**
 * Whether this node can run ipvs mode at all: its tools, and what its kernel has. What has to be tried out is made
 * under names of its own and taken away at once.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';
import { CommandError } from '../../../system/command.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { isToolFailure, runTool, SyncError } from '../../../netfilter/errors.ts';
import { restore } from '../../../netfilter/xtables/tools/restore.ts';
import type { Tools } from './kernel.ts';
import type { SetId } from '../plan/sets.ts';
import { definitionOf } from '../plan/sets.ts';

interface Trial {
  /** What a kernel lacks that refuses it: in words, and the module and the option that give it. */
  readonly lacking: string;
  /** The program that it runs. */
  readonly tool: string;
  readonly run: () => Promise<void>;
}

/** The programs that a trial may use. */
interface Programs {
  readonly tools: Tools;
  readonly iptables: Iptables;
}

/** Throws a SyncError that names all that is missing, with the remedy. */
export async function tryKernel(
  { tools, iptables }: Programs,
  family: IPFamily,
  { ipvs }: Pick<NodeConfig, 'ipvs'>,
): Promise<void> {
  const scheduler = ipvs?.scheduler ?? 'rr';
  // Without any virtual servers, none can be made with a scheduler either.
  const servers: Trial = {
    lacking: lack('no IP virtual servers', 'ip_vs', 'CONFIG_IP_VS'),
    tool: 'ipvsadm',
    run: () => tools.ipvsadm.probe(),
  };
  const trials: readonly Trial[] = [
    (await passes(servers)) ? schedulerTrial(tools, family, scheduler) : servers,
    { lacking: lack('no dummy network devices', 'dummy', 'CONFIG_DUMMY'), tool: 'ip', run: () => tryDevice(tools) },
    ...setTrials(tools, family),
    {
      lacking: lack('no match of iptables rules by IP set', 'xt_set', 'CONFIG_NETFILTER_XT_SET'),
      tool: 'ipset',
      run: () => tryMatch({ tools, iptables }, family),
    },
  ];
  const missing: string[] = [];
  for (const trial of trials) if (!(await passes(trial))) missing.push(trial.lacking);
  if (missing.length > 0)
    throw new SyncError(
      'KernelModuleMissing',
      `this kernel has ${missing.join(', ')}; install what is named and load it, by modprobe on the node or by a new start of the agent's Pod, or use a kernel with these options`,
    );
}

function lack(what: string, module: string, option: string): string {
  return `${what} (modprobe ${module}; ${option})`;
}

/** A tool that did not come to an end says nothing of the kernel: throws a SyncError. */
async function passes({ tool, run }: Pick<Trial, 'tool' | 'run'>): Promise<boolean> {
  try {
    await runTool(tool, run);
    return true;
  } catch (error) {
    if (isToolFailure(error)) return false;
    throw error;
  }
}

function schedulerTrial(tools: Tools, family: IPFamily, scheduler: string): Trial {
  const option = `CONFIG_IP_VS_${scheduler.toUpperCase()}`;
  const lacking =
    family === 'ipv4'
      ? lack(`no scheduler ${scheduler}`, `ip_vs_${scheduler}`, option)
      : lack(`no scheduler ${scheduler} for IPv6`, `ip_vs_${scheduler}`, `${option} and CONFIG_IP_VS_IPV6`);
  return { lacking, tool: 'ipvsadm', run: () => tryServer(tools, family, scheduler) };
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
];

function setTrials({ ipset }: Tools, family: IPFamily): readonly Trial[] {
  return setTypes.map(({ id, module, option }) => {
    const definition = definitionOf(id, family, 1024);
    return {
      lacking: lack(`no IP sets of type ${definition.split(' ')[0]}`, module, option),
      tool: 'ipset',
      run: () => ipset.restore([createTrial(definition, family), destroyTrial(family)]),
    };
  });
}

function trialName(family: IPFamily): string {
  return `KUBE-TRIAL-${family === 'ipv4' ? 4 : 6}`;
}

function createTrial(definition: string, family: IPFamily): string {
  return `create ${trialName(family)} ${definition}\n`;
}

function destroyTrial(family: IPFamily): string {
  return `destroy ${trialName(family)}\n`;
}

/**
 * A rule in a chain that nothing leads to, of the first type of set that can be made: a kernel without any cannot match
 * by one.
 */
async function tryMatch({ tools: { ipset }, iptables }: Programs, family: IPFamily): Promise<void> {
  const name = trialName(family);
  for (const { id } of setTypes) {
    const definition = definitionOf(id, family, 1024);
    const create = (): Promise<void> => ipset.restore([createTrial(definition, family)]);
    if (!(await passes({ tool: 'ipset', run: create }))) continue;
    const fields = (definition.split(' ')[0] ?? '').split(',').map(() => 'dst');
    const rule = `*filter\n:${name} - [0:0]\n-A ${name} -m set --match-set ${name} ${fields.join(',')} -j RETURN\nCOMMIT\n`;
    try {
      const input = [rule, `*filter\n-F ${name}\n-X ${name}\nCOMMIT\n`];
      return await restore(iptables, { input });
    } finally {
      await ipset.restore([destroyTrial(family)]);
    }
  }
  throw new CommandError('Failed', 'no set to match by could be made');
}
