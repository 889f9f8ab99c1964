/**
 * What an empty node would be given, tool by tool, in the order of a full sync.
 */
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceState } from '../../model/serviceState.ts';
import { Ledger as RulesLedger } from '../iptables/ledger.ts';
import type { Differences } from '../iptables/render.ts';
import { renderFull } from '../iptables/render.ts';
import { restoreArguments } from '../../netfilter/xtables/restore.ts';
import type { FixedPlan } from '../shared/chains.ts';
import { deviceName, printChanges } from './changes.ts';
import type { IpvsContext } from './context.ts';
import { declaredAddresses, ipvsContext } from './context.ts';
import { planServicePort } from './fragment.ts';
import { emptyKernel } from './kernelState.ts';
import { Ledger } from './ledger.ts';
import { planRules } from './rules.ts';

/** The device is down and stays so: it only holds addresses. */
export const addDevice = `link add ${deviceName} type dummy`;

/** How long ip_vs remembers idle connections; 0 keeps the kernel's own. */
export function printTimeouts({ config }: Pick<ServiceState, 'config'>): string {
  const { tcpTimeoutSeconds = 0, tcpFinTimeoutSeconds = 0, udpTimeoutSeconds = 0 } = config.ipvs ?? {};
  return `--set ${tcpTimeoutSeconds} ${tcpFinTimeoutSeconds} ${udpTimeoutSeconds}`;
}

export function recordAll(ledger: Ledger, state: ServiceState, context: IpvsContext): void {
  for (const key of state.keys()) {
    ledger.record(
      key,
      state.ports(key).map((port) => planServicePort(port, context)),
    );
  }
}

interface Rendered {
  readonly tool: string;
  readonly args: readonly string[];
  readonly family: IPFamily;
  readonly input: string;
}

/** One state for each IP family. */
export function renderIpvs(...states: readonly ServiceState[]): readonly Rendered[] {
  return states.flatMap((state, index) => renderFamily(state, index === 0 ? [addDevice] : []));
}

/** The device is all families': whoever is loaded first makes it. */
function renderFamily(state: ServiceState, device: readonly string[]): readonly Rendered[] {
  const { family } = state;
  const localAddresses = declaredAddresses(state);
  const context = ipvsContext(state, localAddresses);
  const ledger = new Ledger(emptyKernel(localAddresses));
  recordAll(ledger, state, context);
  const steps = printChanges(ledger.reconcile(), family);
  return [
    { tool: 'ipvsadm', args: ['-R'], family, input: text([printTimeouts(state), ...steps.servers]) },
    { tool: 'ipset', args: ['-exist', 'restore'], family, input: text(steps.sets) },
    {
      tool: family === 'ipv4' ? 'iptables-restore' : 'ip6tables-restore',
      args: restoreArguments,
      family,
      input: renderRules(planRules(context)),
    },
    { tool: 'ip', args: ['-batch', '-'], family, input: text([...device, ...steps.addresses]) },
  ];
}

function renderRules(fixed: FixedPlan): string {
  return printRules(fixed, new RulesLedger(fixed), {
    missingJumps: fixed.jumps,
    staleJumps: [],
    stale: () => [],
    variant: 'legacy',
  });
}

/** The input of iptables-restore for rules that no Service adds to. */
export function printRules(fixed: FixedPlan, ledger: RulesLedger, differences: Differences): string {
  return [...renderFull({ fixed, keys: () => [], fragmentsOf: () => [] }, ledger, differences)].join('');
}

function text(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
