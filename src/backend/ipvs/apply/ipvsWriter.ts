/**
 * Hands the plans of ipvs mode to ipvsadm, ipset, ip and iptables-restore in the order in which they may be made.
 *
 * What it is to do:
 *
 * 1. No packet is led to something that is not there yet, or not there any more.
 * 2. An address on kube-ipvs0 never opens a port of the node itself.
 * 3. A mode that serves when this one starts serves until everything of this one is there.
 * 4. Only what differs is written of the rules, and what is written is read back.
 *
 * How:
 *
 * 1. Five inputs follow each other: virtual and real servers that are added or changed; set entries; addresses; entries
 *    of addresses that went; virtual servers that go.
 * 2. KUBE-IPVS-FILTER refuses what no set knows, for every address in KUBE-IPVS-IPS. Its rules stand before the first
 *    address does, and an address has its entry from before it stands until it is gone.
 * 3. Where the rules of this mode do not stand, those of any other may: the bridge goes up with KUBE-IPVS-FILTER, the
 *    kernel is read and compared before the rules are written, and nat, which takes traffic over, is written last. The
 *    bridge goes when all rules have been found in place.
 * 4. `RulesWriter` compares before and after it writes.
 *
 * Concurrency: belongs to one backend, and one sync runs at a time. The other IP family's backend may run beside it:
 * all that both share is the device, which either may find made.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceSize } from '../../../model/serviceSize.ts';
import { SyncError, verificationFailed } from '../../../netfilter/errors.ts';
import type { FixedChains } from '../../../netfilter/xtables/fixedChains.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import { VariantSelector, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import type { ModeWriter } from '../../engine/syncEngine.ts';
import { hexDigest } from '../../../netfilter/xtables/rulesTally.ts';
import type { Holdings, SyncWork } from '../../engine/syncWork.ts';
import { additionsOf, type ChangeSet, formatChangeSet, type Steps } from '../plan/changeSet.ts';
import { type IpvsContext, ipvsContext } from '../plan/context.ts';
import { DesiredState } from '../plan/desiredState.ts';
import { findDifference, type KernelState } from '../plan/kernelState.ts';
import { addDevice, formatTimeouts } from '../plan/render.ts';
import { planServicePort } from '../plan/servicePortObjects.ts';
import { spareSetName } from '../plan/sets.ts';
import { commandsPerReading, ensureSysctls, findTools, readKernel, type Tools } from './kernel.ts';
import { type ExistingRules, RulesWriter } from './rulesWriter.ts';
import { ToolLines } from './toolLines.ts';

export interface Programs {
  readonly tools: Tools;
  readonly iptables: Iptables;
}

/** What the kernel holds. */
export interface AppliedState {
  readonly programs: Programs;
  readonly context: IpvsContext;
  readonly desired: DesiredState;
  readonly rules: FixedChains;
}

/** One writing of everything: what it starts from, and to what. */
interface Build {
  readonly desired: DesiredState;
  readonly lines: ToolLines;
  readonly rules: RulesWriter;
  readonly work: SyncWork;
  readonly programs: Programs;
  readonly context: IpvsContext;
}

export class IpvsWriter implements ModeWriter<Programs, AppliedState> {
  readonly objects = 'virtual servers, sets or addresses';
  readonly #node: XtablesNode;
  readonly #variants: VariantSelector;
  #tools: Tools | undefined;
  readonly #programs = new Map<Iptables, Programs>();

  constructor(node: XtablesNode) {
    this.#node = node;
    this.#variants = new VariantSelector(node);
  }

  /** A virtual server for each frontend, with real servers of its own; an entry for each source range. */
  objectsOf({ ports, endpoints, frontends, sourceRanges }: ServiceSize): number {
    return frontends * (ports + endpoints) + ports * sourceRanges;
  }

  async open({ iptables: settings }: Pick<NodeConfig, 'iptables'>): Promise<Programs> {
    this.#tools ??= await findTools(this.#node.host);
    const iptables = await this.#variants.select(settings?.backend);
    const programs = this.#programs.get(iptables) ?? { tools: this.#tools, iptables };
    this.#programs.set(iptables, programs);
    return programs;
  }

  async writeAll(programs: Programs, work: SyncWork): Promise<AppliedState> {
    await ensureSysctls(work.state.config, this.#node.family, this.#node.host);
    const build = await this.#start(programs, work, work.state.keys());
    const { desired, lines, context } = build;
    const steps = formatChangeSet(desired.reconcile(), this.#node.family);
    const { view, takesOver } = await this.#add(steps, build);
    await lines.ipset(steps.setsAfter);
    await lines.ipvsadm(steps.serversAfter);
    if (takesOver) await this.#verify(build);
    const rules = await build.rules.writeAll(view);
    await this.#verify(build);
    return { programs, context, desired, rules };
  }

  async writeChange(applied: AppliedState, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    const { desired, context, programs } = applied;
    recordPlanned(desired, changed, { work, context });
    await this.write(
      desired.reconcile(),
      new ToolLines({ tools: programs.tools, count: work.count, signal: work.signal }),
    );
  }

  /** Makes changes on a node that serves in this mode already, without the rules. Throws a SyncError. */
  async write(changes: ChangeSet, lines: ToolLines): Promise<void> {
    const steps = formatChangeSet(changes, this.#node.family);
    await lines.ipvsadm(steps.servers);
    await lines.ipset(steps.sets);
    await lines.ip(steps.addresses);
    await lines.ipset(steps.setsAfter);
    await lines.ipvsadm(steps.serversAfter);
  }

  /** Only adds, and only what is desired anyway: what is left of a refused Service goes with the sync that follows. */
  async tryOut(some: readonly ServiceKey[], programs: Programs, work: SyncWork): Promise<void> {
    const build = await this.#start(programs, work, some);
    await this.#add(formatChangeSet(additionsOf(build.desired.reconcile()), this.#node.family), build);
  }

  async removeOf({ iptables }: Programs): Promise<void> {
    await removeAll(iptables, this.#node.ownership);
  }

  holdingsOf({ desired, rules }: AppliedState): Holdings {
    return {
      services: desired.services,
      endpoints: desired.endpoints,
      rulesHash: hexDigest(desired.digest, rules.tally.digest),
      rulesByTable: rules.tally.byTable,
    };
  }

  /** Reads the kernel, and records what the Services want. */
  async #start(programs: Programs, work: SyncWork, keys: Iterable<ServiceKey>): Promise<Build> {
    const { tools, iptables } = programs;
    const { ownership } = this.#node;
    const kernel = await this.#read(programs, work);
    const context = ipvsContext(work.state, kernel.localAddresses);
    const desired = new DesiredState(kernel, work.state.config.ipvs?.excludeCIDRs);
    recordPlanned(desired, keys, { work, context });
    const lines = new ToolLines({ tools, count: work.count, signal: work.signal });
    const rules = new RulesWriter({ iptables, ownership, context, work });
    return { desired, lines, rules, work, programs, context };
  }

  async #add(steps: Steps, { desired, lines, rules, work }: Build): Promise<ExistingRules> {
    const { hasDevice, hasSpareSet } = desired.kernel;
    await lines.ipvsadm([formatTimeouts(work.state), ...steps.servers]);
    await lines.ipset([...(hasSpareSet ? [`destroy ${spareSetName(this.#node.family)}`] : []), ...steps.sets]);
    const existing = await rules.ensureAccessFilter();
    if (!hasDevice) await makeDevice(lines);
    await lines.ip(steps.addresses);
    return existing;
  }

  async #verify({ desired, programs, work }: Build): Promise<void> {
    const difference = findDifference(await this.#read(programs, work), desired.kernel);
    if (difference !== undefined) throw verificationFailed('the tools', difference);
  }

  #read({ tools }: Programs, { count, signal }: SyncWork): Promise<KernelState> {
    return count.run(() => readKernel(tools, this.#node.family, signal), commandsPerReading);
  }
}

function recordPlanned(
  desired: DesiredState,
  keys: Iterable<ServiceKey>,
  { work, context }: { readonly work: SyncWork; readonly context: IpvsContext },
): void {
  for (const key of keys)
    desired.record(
      key,
      work.planned(key, (ports) => ports.map((port) => planServicePort(port, context))),
    );
}

/**
 * The device is both families', and the other one's backend may make it at the same moment; without it the addresses
 * fail.
 */
async function makeDevice(lines: ToolLines): Promise<void> {
  try {
    await lines.ip([addDevice]);
  } catch (error) {
    if (!(error instanceof SyncError && error.reason === 'ToolFailed')) throw error;
  }
}
