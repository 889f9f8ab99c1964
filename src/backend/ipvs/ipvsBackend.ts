/**
 * @module ipvs mode: the kernel's own load balancer leads connections on, a few rules do the rest. The README beside
 * this file draws it and lists the files.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import { CommandError } from '../../system/command.ts';
import type { Iptables, IptablesHost } from '../../netfilter/xtables/iptables.ts';
import type { Backend, Outdated, Refusal, DrainResult, DrainRequest, SyncRequest, SyncResult } from '../backend.ts';
import { SyncError, verificationFailed } from '../../netfilter/errors.ts';
import { findDifference as findRuleDifference } from '../../netfilter/xtables/compareTables.ts';
import { readTables } from '../../netfilter/xtables/readTables.ts';
import { selectIptables } from '../../netfilter/xtables/variant.ts';
import type { AppliedChains } from '../iptables/plan/appliedChains.ts';
import { planScope } from '../engine/planContext.ts';
import type { Quarantine } from '../engine/quarantine.ts';
import { withoutKeys } from '../engine/quarantine.ts';
import { buildBridge } from './leave/bridge.ts';
import { cleanUp } from './leave/cleanup.ts';
import type { IpvsContext } from './plan/context.ts';
import { ipvsContext } from './plan/context.ts';
import type { Tools } from './apply/kernel.ts';
import { ensureSysctls, findTools } from './apply/kernel.ts';
import { findDifference, isOfOtherAddresses } from './plan/kernelState.ts';
import { DesiredState } from './plan/desiredState.ts';
import { tryKernel } from './apply/preflight.ts';
import { findQuarantine, without } from './apply/quarantine.ts';
import { recordAll } from './plan/render.ts';
import { drainAndRemove } from './leave/drainAndRemove.ts';
import { Writer } from './apply/writer.ts';

/** What was committed last, and where. */
interface Applied {
  readonly scope: string;
  readonly context: IpvsContext;
  readonly desired: DesiredState;
  readonly rules: AppliedChains;
  readonly writer: Writer;
  /** What is left out of it. */
  readonly quarantine: Quarantine;
}

interface Change extends SyncRequest {
  readonly changed: ReadonlySet<ServiceKey>;
}

interface Programs {
  readonly tools: Tools;
  readonly iptables: Iptables;
}

/** The backend of one IP family; `host` says where the tools are and how they are run. Runs nothing yet. */
export function createIpvsBackend(family: IPFamily, host: IptablesHost = {}): Backend {
  return new IpvsBackend(family, host);
}

class IpvsBackend implements Backend {
  readonly #family: IPFamily;
  readonly #host: IptablesHost;
  #applied: Applied | undefined;
  #programs: Programs | undefined;

  constructor(family: IPFamily, host: IptablesHost) {
    this.#family = family;
    this.#host = host;
  }

  async preflight(config: NodeConfig): Promise<Refusal | undefined> {
    try {
      await tryKernel(await this.#findPrograms(config), this.#family, config);
      return undefined;
    } catch (error) {
      if (error instanceof SyncError) return { reason: error.reason, message: error.message };
      if (error instanceof CommandError)
        return { reason: 'ToolFailed', message: `${error.message}; its own words are in the log` };
      throw error;
    }
  }

  async sync(request: SyncRequest): Promise<SyncResult> {
    const { state, changed, signal } = request;
    const scope = planScope(state);
    const before = this.#applied;
    // Until the new state is committed nothing is known of the kernel: a failure leaves it so, and the next sync reads
    // it itself.
    this.#applied = undefined;
    const applied =
      changed !== 'all' && before?.scope === scope
        ? await this.#writeChange(before, { state, changed, signal })
        : await this.#writeAll(request, scope);
    this.#applied = applied;
    return resultOf(applied.desired !== before?.desired, applied);
  }

  /** Writes everything but the objects of Services that are refused. */
  async #writeAll(request: SyncRequest, scope: string): Promise<Applied> {
    try {
      return await this.#tryAll(request, scope, new Map());
    } catch (error) {
      return this.#tryAll(request, scope, await this.#findQuarantine(error, request, [...request.state.keys()]));
    }
  }

  /** Makes the kernel equal to the state, whatever it holds, and reads it back: no tool is believed that it worked. */
  async #tryAll({ state, signal }: SyncRequest, scope: string, quarantine: Quarantine): Promise<Applied> {
    const writer = await this.#writer(state.config, signal);
    await ensureSysctls(state.config, this.#family, this.#host);
    const kernel = await writer.readKernel();
    const context = ipvsContext(state, kernel.localAddresses);
    const desired = new DesiredState(kernel, state.config.ipvs?.excludeCIDRs);
    recordAll(desired, writer.counting(without(state, quarantine)), context);
    const rules = await writer.writeAll(desired, context, state);
    const difference = findDifference(await writer.readKernel(), desired.kernel);
    if (difference !== undefined) throw verificationFailed('the tools', difference);
    return { scope, context, desired, rules, writer, quarantine };
  }

  async #writeChange(before: Applied, request: Change): Promise<Applied> {
    const { state, changed, signal } = request;
    const { desired, context, writer, scope } = before;
    const quarantine = withoutKeys(before.quarantine, changed);
    writer.begin(signal);
    try {
      recordAll(desired, writer.counting(state, changed), context);
      await writer.write(desired.reconcile());
      return { ...before, quarantine };
    } catch (error) {
      const refused = await this.#findQuarantine(error, request, [...changed]);
      return this.#tryAll(request, scope, new Map([...quarantine, ...refused]));
    }
  }

  async #findQuarantine(
    error: unknown,
    { state, signal }: SyncRequest,
    keys: readonly ServiceKey[],
  ): Promise<Quarantine> {
    return findQuarantine(error, { keys, state, writer: await this.#writer(state.config, signal) });
  }

  async #writer(config: NodeConfig, signal: AbortSignal): Promise<Writer> {
    const { tools, iptables } = await this.#findPrograms(config);
    return new Writer({ tools, iptables, family: this.#family, signal });
  }

  /** Takes out real servers whose connections have ended meanwhile, too. */
  async findDrift(signal: AbortSignal): Promise<string | Outdated | undefined> {
    const applied = this.#applied;
    if (applied === undefined) return undefined;
    const { desired, rules, writer } = applied;
    writer.begin(signal);
    const kernel = await writer.readKernel();
    if (isOfOtherAddresses(kernel, desired.kernel))
      return { outdated: "the node's own addresses are different, which NodePorts are served on" };
    const difference =
      findDifference(kernel, desired.kernel) ?? findRuleDifference(await readTables(writer.iptables, signal), rules);
    if (difference !== undefined || !desired.isDraining) return difference;
    this.#applied = undefined;
    await writer.write(desired.finishDraining(kernel));
    this.#applied = applied;
    return undefined;
  }

  async prepareTakeover(signal: AbortSignal): Promise<void> {
    this.#applied = undefined;
    await buildBridge(this.#family, this.#host, signal);
  }

  async drainAndRemove(request: DrainRequest): Promise<DrainResult> {
    this.#applied = undefined;
    return drainAndRemove(this.#family, this.#host, request);
  }

  async cleanup(): Promise<readonly string[]> {
    this.#applied = undefined;
    return cleanUp(this.#family, this.#host);
  }

  async #findPrograms(config: NodeConfig): Promise<Programs> {
    this.#programs ??= {
      tools: await findTools(this.#host),
      iptables: await selectIptables(this.#family, config, this.#host),
    };
    return this.#programs;
  }
}

function resultOf(full: boolean, { desired, rules, writer, quarantine }: Applied): SyncResult {
  const digest = BigInt.asUintN(64, desired.digest + BigInt(`0x${rules.rulesHash}`));
  return {
    full,
    ...writer.work,
    services: desired.services,
    endpoints: desired.endpoints,
    rulesHash: digest.toString(16).padStart(16, '0'),
    rulesByTable: rules.rulesByTable,
    quarantined: [...quarantine.values()],
  };
}
