/**
 * What an empty node would be given, tool by tool, in the order of a full sync.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { IPFamily } from '../../../model/ipFamily.ts';
import { declaredAddresses } from '../../../model/nodeAddresses.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import { fullTransaction, restoreArguments } from '../../../netfilter/xtables/transaction.ts';
import { markChain } from '../../engine/kubeChains.ts';
import { sampleServiceState } from '../../engine/sampleServices.ts';
import { omitsComments, type Plan } from '../../engine/serviceRules/plan.ts';
import { ServiceChains } from '../../engine/serviceRules/serviceChains.ts';
import { sourceOf } from '../../engine/serviceRules/transaction.ts';
import { computed } from '../../engine/turns.ts';
import type { ToolInput } from '../../mode.ts';
import { deviceName, formatChangeSet } from './changeSet.ts';
import { type IpvsContext, ipvsContext } from './context.ts';
import { DesiredState } from './desiredState.ts';
import { planExternalRules } from './externalRules.ts';
import { emptyKernel } from './kernelState.ts';
import { planRules } from './rules.ts';
import { planServicePort } from './servicePortObjects.ts';

/** The device is down and stays so: it only holds addresses. */
export const addDevice = `link add ${deviceName} type dummy`;

/** For how many seconds ip_vs remembers idle connections, as ipvsadm's `--set`; 0 keeps the kernel's own. */
export function formatTimeouts({ config }: Pick<ServiceState, 'config'>): string {
  const { tcpTimeoutSeconds = 0, tcpFinTimeoutSeconds = 0, udpTimeoutSeconds = 0 } = config.ipvs ?? {};
  return `--set ${tcpTimeoutSeconds} ${tcpFinTimeoutSeconds} ${udpTimeoutSeconds}`;
}

/** Records what all Services of the state want. Throws InvalidRule. */
export function recordAll(desired: DesiredState, state: ServiceState, context: IpvsContext): void {
  for (const key of state.keys()) {
    desired.record(
      key,
      state.ports(key).map((port) => planServicePort(port, context)),
    );
  }
}

/** What an empty node would be given, in the order in which the tools run; one state for each IP family. */
export function renderIpvs(...states: readonly ServiceState[]): readonly ToolInput[] {
  return states.flatMap((state, index) => renderFamily(state, index === 0 ? [addDevice] : []));
}

/** The device is all families': whoever is loaded first makes it. */
function renderFamily(state: ServiceState, device: readonly string[]): readonly ToolInput[] {
  const { family } = state;
  const localAddresses = declaredAddresses(state.node, family);
  const context = ipvsContext(state, localAddresses);
  const desired = new DesiredState(emptyKernel(localAddresses));
  recordAll(desired, state, context);
  const steps = formatChangeSet(desired.reconcile(), family);
  return [
    { tool: 'ipvsadm', args: ['-R'], family, input: text([formatTimeouts(state), ...steps.servers]) },
    { tool: 'ipset', args: ['-exist', 'restore'], family, input: text(steps.sets) },
    {
      tool: family === 'ipv4' ? 'iptables-restore' : 'ip6tables-restore',
      args: restoreArguments,
      family,
      input: renderRules(planTables(state, context)),
    },
    { tool: 'ip', args: ['-batch', '-'], family, input: text([...device, ...steps.addresses]) },
  ];
}

/** All rules of the mode. Throws InvalidRule. */
export function planTables(state: ServiceState, context: IpvsContext): Plan {
  const commentsOmitted = omitsComments(state);
  return {
    fixed: planRules(context),
    keys: () => state.keys(),
    rulesOf: (key) => computed(planExternalRules(state.ports(key), context, commentsOmitted)),
  };
}

/**
 * The rules of sample Services alone: those that ask sets would need the sets. Throws InvalidRule where the
 * configuration itself cannot be written.
 */
export function renderSample(config: NodeConfig, family: IPFamily): string {
  const state = sampleServiceState(config, family);
  const context = ipvsContext(state, []);
  const { fixed, ...plan } = planTables(state, context);
  const dispatch = fixed.dispatch.map((chain) => Object.assign({}, chain, { rules: [] }));
  return renderRules({ ...plan, fixed: { jumps: [], chains: [markChain(context)], dispatch } });
}

function renderRules(plan: Plan): string {
  const differences = { missingJumps: plan.fixed.jumps, staleJumps: [], stale: () => [], variant: 'legacy' } as const;
  return [...fullTransaction(sourceOf(plan, new ServiceChains(plan.fixed), differences), differences)].join('');
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
