/**
 * Hands changes to ipvsadm, ipset, ip and iptables-restore in the order in which they may be made, and counts what it
 * does.
 *
 * The model. `write` makes a ChangeSet of a node that serves in this mode already. `writeAll` makes all of a
 * DesiredState with the rules, on any node. `tryOut` makes only what is added. Each returns when the tools have
 * reported success; a SyncError leaves the kernel somewhere in between, in an order that harms nothing.
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
 *    of addresses that went; virtual servers that go. One that is empty runs no tool.
 * 2. KUBE-IPVS-FILTER refuses what no set knows, for every address in KUBE-IPVS-IPS. Its rules stand before the first
 *    address does, and an address has its entry from before it stands until it is gone.
 * 3. Where the tables hold chains of iptables mode (nat KUBE-NODEPORTS), the bridge goes up with KUBE-IPVS-FILTER, the
 *    kernel is read and compared before the rules are written, and nat, which takes traffic over, is written last. The
 *    bridge goes when all rules have been found in place.
 * 4. `differencesOf` gives what differs, and `findDifference` compares a new reading.
 *
 * Concurrency: belongs to one backend; a sync or check begins with `begin` or with a new Writer, and one runs at a
 * time. The other IP family's backend may run beside it: all that both share is the device, which either may find made.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { ServiceKey } from '../../../model/service.ts';
import type { ServiceState } from '../../../model/serviceState.ts';
import type { Iptables } from '../../../netfilter/xtables/iptables.ts';
import type { SyncResult } from '../../backend.ts';
import { SyncError, runTool, verificationFailed } from '../../../netfilter/errors.ts';
import type { TablesView } from '../../../netfilter/xtables/tables.ts';
import { differencesOf, findDifference } from '../../../netfilter/xtables/compareTables.ts';
import { readTables } from '../../../netfilter/xtables/readTables.ts';
import { restore } from '../../../netfilter/xtables/restore.ts';
import { AppliedChains } from '../../iptables/plan/appliedChains.ts';
import type { FixedPlan } from '../../engine/kubeChains.ts';
import { nodePorts } from '../../engine/kubeChains.ts';
import { findBridge, removeBridge } from '../leave/bridge.ts';
import type { ChangeSet, Steps } from '../plan/changeSet.ts';
import { additionsOf, formatChangeSet } from '../plan/changeSet.ts';
import type { IpvsContext } from '../plan/context.ts';
import type { Tools } from './kernel.ts';
import { commandsPerReading, readKernel } from './kernel.ts';
import type { KernelState } from '../plan/kernelState.ts';
import { findDifference as findStateDifference } from '../plan/kernelState.ts';
import type { DesiredState } from '../plan/desiredState.ts';
import { addDevice, formatRules, formatTimeouts } from '../plan/render.ts';
import { planBridge, planAccessFilter, planRules } from '../plan/rules.ts';
import { spareSetName } from '../plan/sets.ts';

export interface WriterOptions {
  readonly tools: Tools;
  readonly iptables: Iptables;
  readonly family: IPFamily;
  readonly signal: AbortSignal;
}

/** What was done, as a SyncResult has it. */
export type Work = Pick<SyncResult, 'servicePortsPlanned' | 'linesSent' | 'commandsRun'>;

interface BuildInputs {
  readonly kernel: KernelState;
  readonly context: IpvsContext;
  readonly state: ServiceState;
}

/** What the tables hold when the access filter stands, and whether another mode's rules serve. */
interface ExistingRules {
  readonly view: TablesView;
  readonly takesOver: boolean;
}

export class Writer {
  readonly #options: WriterOptions;
  #signal: AbortSignal;
  #servicePorts = 0;
  #lines = 0;
  #commands = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#signal = options.signal;
  }

  get iptables(): Iptables {
    return this.#options.iptables;
  }

  /** What was done since `begin`. */
  get work(): Work {
    return { servicePortsPlanned: this.#servicePorts, linesSent: this.#lines, commandsRun: this.#commands };
  }

  /** Counts from 0 again, and runs under another signal. */
  begin(signal: AbortSignal): void {
    this.#signal = signal;
    this.#servicePorts = 0;
    this.#lines = 0;
    this.#commands = 0;
  }

  /** The state with only these Services, whose ports are counted when they are asked for. */
  counting(state: ServiceState, keys: Iterable<ServiceKey> = state.keys()): ServiceState {
    const ports = (key: ServiceKey): ReturnType<ServiceState['ports']> => {
      const found = state.ports(key);
      this.#servicePorts += found.length;
      return found;
    };
    return { family: state.family, node: state.node, config: state.config, keys: () => keys, ports };
  }

  /** Throws a SyncError, as all that follows. */
  async readKernel(): Promise<KernelState> {
    this.#commands += commandsPerReading;
    return readKernel(this.#options.tools, this.#options.family, this.#signal);
  }

  /** A change, without the rules. */
  async write(changes: ChangeSet): Promise<void> {
    const steps = formatChangeSet(changes, this.#options.family);
    await this.#ipvsadm(steps.servers);
    await this.#ipset(steps.sets);
    await this.#ip(steps.addresses);
    await this.#ipset(steps.setsAfter);
    await this.#ipvsadm(steps.serversAfter);
  }

  /**
   * Everything, with the rules. An address may only stand when the access filter does; the rules that take traffic over
   * from a mode that ran before come when all that they lead to has been found there. Returns what the rules are now.
   */
  async writeAll(desired: DesiredState, context: IpvsContext, state: ServiceState): Promise<AppliedChains> {
    const steps = formatChangeSet(desired.reconcile(), this.#options.family);
    const { view, takesOver } = await this.#build(steps, { kernel: desired.kernel, context, state });
    await this.#ipset(steps.setsAfter);
    await this.#ipvsadm(steps.serversAfter);
    if (takesOver) await this.#verify(desired.kernel);
    return this.#writeRules(planRules(context), view);
  }

  /** What is added, without the rules, and nothing that takes anything away. */
  async tryOut(desired: DesiredState, context: IpvsContext, state: ServiceState): Promise<void> {
    const steps = formatChangeSet(additionsOf(desired.reconcile()), this.#options.family);
    await this.#build(steps, { kernel: desired.kernel, context, state });
  }

  async #build(steps: Steps, { kernel, context, state }: BuildInputs): Promise<ExistingRules> {
    const { hasDevice, hasSpareSet } = kernel;
    await this.#ipvsadm([formatTimeouts(state), ...steps.servers]);
    await this.#ipset([...(hasSpareSet ? [`destroy ${spareSetName(this.#options.family)}`] : []), ...steps.sets]);
    const existing = await this.#ensureAccessFilter(context);
    if (!hasDevice) await this.#makeDevice();
    await this.#ip(steps.addresses);
    return existing;
  }

  async #verify(desired: KernelState): Promise<void> {
    const difference = findStateDifference(await this.readKernel(), desired);
    if (difference !== undefined) throw verificationFailed('the tools', difference);
  }

  async #ensureAccessFilter(context: IpvsContext): Promise<ExistingRules> {
    const view = await this.#readTables();
    const takesOver = view.chains.has(`nat ${nodePorts}`);
    const accessFilter = takesOver ? both(planAccessFilter(context), planBridge(context)) : planAccessFilter(context);
    const chains = new AppliedChains(accessFilter);
    if (findDifference(view, chains) === undefined) return { view, takesOver };
    // Other chains of ours are left alone until everything is there.
    const differences = { ...differencesOf(this.iptables, view, chains), staleJumps: [], stale: () => [] };
    await this.#restore(accessFilter, chains, differences);
    return { view: await this.#readTables(), takesOver };
  }

  #readTables(): Promise<TablesView> {
    return this.#run(() => readTables(this.iptables, this.#signal));
  }

  async #writeRules(fixed: FixedPlan, view: TablesView): Promise<AppliedChains> {
    const chains = new AppliedChains(fixed);
    // What a mode before put into filter would refuse what nat leads to ip_vs, so nat is last.
    await this.#restore(fixed, chains, {
      ...differencesOf(this.iptables, view, chains),
      tables: ['filter', 'mangle', 'nat'],
    });
    const after = await this.#readTables();
    const difference = findDifference(after, chains);
    if (difference !== undefined) throw verificationFailed('iptables-restore', difference);
    if (findBridge(after) !== undefined) await this.#run(() => removeBridge(this.iptables, after, this.#signal));
    return chains;
  }

  async #restore(
    fixed: FixedPlan,
    chains: AppliedChains,
    differences: ReturnType<typeof differencesOf>,
  ): Promise<void> {
    const input = formatRules(fixed, chains, differences);
    this.#lines += input.split('\n').length - 1;
    await this.#run(() => restore(this.iptables, { input: [input], signal: this.#signal }));
  }

  async #ipvsadm(lines: readonly string[]): Promise<void> {
    await this.#send(lines, (input) =>
      runTool('ipvsadm', () => this.#options.tools.ipvsadm.restore(input, this.#signal)),
    );
  }

  async #ipset(lines: readonly string[]): Promise<void> {
    await this.#send(lines, (input) => runTool('ipset', () => this.#options.tools.ipset.restore(input, this.#signal)));
  }

  /**
   * The device is both families', and the other one's backend may make it at the same moment; without it the addresses
   * fail.
   */
  async #makeDevice(): Promise<void> {
    try {
      await this.#ip([addDevice]);
    } catch (error) {
      if (!(error instanceof SyncError && error.reason === 'ToolFailed')) throw error;
    }
  }

  async #ip(lines: readonly string[]): Promise<void> {
    await this.#send(lines, (input) => runTool('ip', () => this.#options.tools.ip.batch(input, this.#signal)));
  }

  async #send(lines: readonly string[], command: (input: Iterable<string>) => Promise<void>): Promise<void> {
    if (lines.length === 0) return;
    this.#lines += lines.length;
    await this.#run(() => command(lines.map((line) => `${line}\n`)));
  }

  async #run<Result>(command: () => Promise<Result>): Promise<Result> {
    this.#commands += 1;
    return command();
  }
}

function both(one: FixedPlan, other: FixedPlan): FixedPlan {
  return { jumps: [...one.jumps, ...other.jumps], chains: [...one.chains, ...other.chains], dispatch: [] };
}
