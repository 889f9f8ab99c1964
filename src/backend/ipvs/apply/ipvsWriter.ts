/**
 * Hands the plans of ipvs mode to ipvsadm, ipset, ip and iptables-restore in the order in which they may be made.
 *
 * What it is to do:
 *
 * 1. No packet is led to something that is not there yet, or not there any more.
 * 2. An address on kube-ipvs0 never opens a port of the node itself.
 * 3. A mode that serves when this one starts serves until everything of this one is there.
 * 4. Only what differs is written of the rules, and what is written is read back.
 * 5. A frontend that other rules of this mode lead to ip_vs goes on until the ones that are to lead it stand.
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
 * 5. Where rules of this mode stand, be they kube-proxy's or of an agent that had all frontends in ip_vs, what goes of
 *    virtual servers, sets and addresses goes after the rules are written. Sets that no rule asks any more go last.
 *
 * Concurrency: belongs to one backend, and one sync runs at a time. The other IP family's backend may run beside it:
 * all that both share is the device, which either may find made.
 */
import type { NodeConfig } from '../../../api/nodeConfig.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceSize } from '../../../model/serviceSize.ts';
import { SyncError, verificationFailed } from '../../../netfilter/errors.ts';
import type { Iptables } from '../../../netfilter/xtables/tools/iptables.ts';
import { removeAll } from '../../../netfilter/xtables/tools/removeAll.ts';
import { linesOf } from '../../../netfilter/xtables/transaction.ts';
import { VariantSelector, type XtablesNode } from '../../../netfilter/xtables/tools/variant.ts';
import { type AppliedRules, RulesWriter } from '../../engine/apply/rulesWriter.ts';
import type { FormattedServicePort } from '../../engine/serviceRules/format.ts';
import { omitsComments } from '../../engine/serviceRules/plan.ts';
import type { ModeWriter } from '../../engine/syncEngine.ts';
import { hexDigest } from '../../../netfilter/xtables/rulesTally.ts';
import type { Holdings, SyncWork } from '../../engine/syncWork.ts';
import { computed, type Turns } from '../../engine/turns.ts';
import { findBridge, removeBridge } from '../leave/bridge.ts';
import { additionsOf, type ChangeSet, formatChangeSet, removalsOf } from '../plan/changeSet.ts';
import { type IpvsContext, ipvsContext } from '../plan/context.ts';
import { DesiredState } from '../plan/desiredState.ts';
import { findDifference, type KernelState } from '../plan/kernelState.ts';
import { addDevice, formatTimeouts, renderSample } from '../plan/render.ts';
import { planExternalRules } from '../plan/externalRules.ts';
import { planRules } from '../plan/rules.ts';
import { planServicePort } from '../plan/servicePortObjects.ts';
import { setName, spareSetName } from '../plan/sets.ts';
import { ensureAccessFilter, type ExistingRules } from './accessFilter.ts';
import { commandsPerReading, ensureSysctls, findTools, readKernel, type Tools } from './kernel.ts';
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
  readonly rules: AppliedRules;
  /** Decided by every full write anew, for changes must not rewrite what they are not about. */
  readonly commentsOmitted: boolean;
}

/** What planning depends on besides the Services. */
type Plan = Pick<AppliedState, 'desired' | 'context' | 'commentsOmitted'>;

/** Of each Service; most have none. */
type ExternalRules = Map<ServiceKey, readonly FormattedServicePort[]>;

/** One writing of everything: what it starts from, and to what. */
interface Build extends Plan {
  readonly externalRules: ExternalRules;
  readonly lines: ToolLines;
  readonly work: SyncWork;
  readonly programs: Programs;
}

export class IpvsWriter implements ModeWriter<Programs, AppliedState> {
  readonly objects = 'virtual servers, sets, addresses or rules';
  readonly #node: XtablesNode;
  readonly #variants: VariantSelector;
  readonly #rules: RulesWriter;
  #tools: Tools | undefined;
  readonly #programs = new Map<Iptables, Programs>();

  constructor(node: XtablesNode) {
    this.#node = node;
    this.#variants = new VariantSelector(node);
    this.#rules = new RulesWriter(node.ownership);
  }

  /** Knows the variants of iptables that may have been written to. */
  get variants(): VariantSelector {
    return this.#variants;
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

  /**
   * Throws InvalidRule where the configuration itself cannot be written, else every Service would be left out for it.
   */
  async writeAll(programs: Programs, work: SyncWork): Promise<AppliedState> {
    const { state } = work;
    renderSample(state.config, state.family);
    await ensureSysctls(state.config, this.#node.family, this.#node.host);
    const commentsOmitted = omitsComments({ keys: () => state.keys(), ports: (key) => work.portsAhead(key) });
    const build = await this.#start({ programs, work, commentsOmitted }, state.keys());
    const { desired, lines, context } = build;
    const changes = desired.reconcile();
    const existing = await this.#add(additionsOf(changes), build);
    // Another mode leads nothing to what goes here, and takes over again should something be missing.
    if (existing.takesOver) {
      await this.write(removalsOf(changes), lines);
      await this.#verify(build);
    }
    const rules = await this.#writeRules(existing, build);
    if (!existing.takesOver) await this.write(removalsOf(changes), lines);
    for (const id of desired.kernel.formerSets.keys()) await destroySet(setName(id, this.#node.family), lines);
    await this.#verify(build);
    return { programs, context, desired, rules, commentsOmitted };
  }

  async writeChange(applied: AppliedState, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    const { desired, rules, programs } = applied;
    const externalRules = recordPlanned(applied, changed, work);
    const lines = new ToolLines({ tools: programs.tools, count: work.count, signal: work.signal });
    await this.write(desired.reconcile(), lines);
    const rulesOf = (key: ServiceKey): Turns<readonly FormattedServicePort[]> => computed(externalRules.get(key) ?? []);
    const maxLinesOf = (key: ServiceKey): number =>
      linesOf((externalRules.get(key) ?? []).flatMap(({ chains }) => chains));
    await this.#rules.writeChange(rules, { changed, rulesOf, maxLinesOf }, work);
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

  /**
   * Only adds, and only what is desired anyway: what is left of a refused Service goes with the sync that follows. Sets
   * keep their size, because to become larger they are replaced.
   */
  async tryOut(some: readonly ServiceKey[], programs: Programs, work: SyncWork): Promise<void> {
    const build = await this.#start({ programs, work, commentsOmitted: false }, some);
    await this.#add({ ...additionsOf(build.desired.reconcile()), enlarged: [] }, build);
    const { context, externalRules } = build;
    await this.#rules.tryOut(programs.iptables, planRules(context), [...externalRules.values()].flat(), work);
  }

  endTrials({ iptables }: Programs, work: SyncWork): Promise<void> {
    return this.#rules.endTrials(iptables, work);
  }

  async removeOf({ iptables }: Programs): Promise<void> {
    await removeAll(iptables, this.#node.ownership);
  }

  findRulesDrift({ rules }: AppliedState, signal: AbortSignal): Promise<string | undefined> {
    return this.#rules.findDrift(rules, signal);
  }

  holdingsOf({ desired, rules: { chains } }: AppliedState): Holdings {
    return {
      services: desired.services,
      endpoints: desired.endpoints,
      rulesHash: hexDigest(desired.digest, BigInt(`0x${chains.rulesHash}`)),
      rulesByTable: chains.rulesByTable,
    };
  }

  /** Reads the kernel, and records what the Services want. */
  async #start(step: Pick<Build, 'programs' | 'work' | 'commentsOmitted'>, keys: Iterable<ServiceKey>): Promise<Build> {
    const { programs, work } = step;
    const kernel = await this.#read(programs, work);
    const context = ipvsContext(work.state, kernel.localAddresses);
    const plan = {
      desired: new DesiredState(kernel, work.state.config.ipvs?.excludeCIDRs),
      context,
      commentsOmitted: step.commentsOmitted,
    };
    const externalRules = recordPlanned(plan, keys, work);
    const lines = new ToolLines({ tools: programs.tools, count: work.count, signal: work.signal });
    return { ...plan, externalRules, lines, work, programs };
  }

  async #add(changes: ChangeSet, { desired, lines, work, context, programs }: Build): Promise<ExistingRules> {
    const { hasDevice, hasSpareSet } = desired.kernel;
    const steps = formatChangeSet(changes, this.#node.family);
    await lines.ipvsadm([formatTimeouts(work.state), ...steps.servers]);
    await lines.ipset([...(hasSpareSet ? [`destroy ${spareSetName(this.#node.family)}`] : []), ...steps.sets]);
    const { iptables } = programs;
    const existing = await ensureAccessFilter({ iptables, rules: this.#rules, context, work });
    if (!hasDevice) await makeDevice(lines);
    await lines.ip(steps.addresses);
    return existing;
  }

  /**
   * All rules, and no bridge afterwards. What another mode put into filter would refuse what nat leads to ip_vs, so nat
   * is last where that one serves; else it is first, for a refusal in filter to go when nat leads the packet.
   */
  async #writeRules({ view, takesOver }: ExistingRules, build: Build): Promise<AppliedRules> {
    const { context, externalRules, work, programs } = build;
    const plan = {
      fixed: planRules(context),
      keys: () => externalRules.keys(),
      rulesOf: (key: ServiceKey) => computed(externalRules.get(key) ?? []),
    };
    const tables = takesOver ? (['filter', 'mangle', 'nat'] as const) : (['nat', 'filter', 'mangle'] as const);
    const rules = await this.#rules.writeAll(programs.iptables, plan, work, { view, tables });
    if (findBridge(view) !== undefined) await work.count.run(() => removeBridge(programs.iptables, view, work.signal));
    return rules;
  }

  /** Twice where it differs: `readKernel` may leave out what is there while the other family is written. */
  async #verify({ desired, programs, work }: Build): Promise<void> {
    const find = async () => findDifference(await this.#read(programs, work), desired.kernel);
    const difference = (await find()) && (await find());
    if (difference !== undefined) throw verificationFailed('the tools', difference);
  }

  #read({ tools }: Programs, { count, signal }: SyncWork): Promise<KernelState> {
    return count.run(() => readKernel(tools, this.#node.family, signal), commandsPerReading);
  }
}

/**
 * Records what Services want of ip_vs, and gives the rules of each. Both are planned at once, so that a Service is
 * served by both or left out.
 */
function recordPlanned(
  { desired, context, commentsOmitted }: Plan,
  keys: Iterable<ServiceKey>,
  work: SyncWork,
): ExternalRules {
  const rules: ExternalRules = new Map();
  for (const key of keys) {
    const planned = work.planned(key, (ports) => [
      {
        objects: ports.map((port) => planServicePort(port, context)),
        rules: planExternalRules(ports, context, commentsOmitted),
      },
    ]);
    desired.record(
      key,
      planned.flatMap(({ objects }) => objects),
    );
    rules.set(
      key,
      planned.flatMap((each) => each.rules),
    );
  }
  return rules;
}

/**
 * The device is both families', and the other one's backend may make it at the same moment; without it the addresses
 * fail.
 */
function makeDevice(lines: ToolLines): Promise<void> {
  return unlessRefused(lines.ip([addDevice]));
}

/** It stays where somebody's rule asks it, such as one that kube-proxy left in the other variant of iptables. */
function destroySet(name: string, lines: ToolLines): Promise<void> {
  return unlessRefused(lines.ipset([`destroy ${name}`]));
}

async function unlessRefused(step: Promise<void>): Promise<void> {
  try {
    await step;
  } catch (error) {
    if (!(error instanceof SyncError && error.reason === 'ToolFailed')) throw error;
  }
}
