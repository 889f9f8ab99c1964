/**
 * @module ipvs mode: the kernel's own load balancer leads connections on, a few rules do the rest. The README beside
 * this file draws it and lists the files. What is written when, and what a refusal leads to, is the engine's
 * (`engine/syncEngine.ts`).
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import { removeElsewhere } from '../../netfilter/xtables/tools/removeAll.ts';
import type { XtablesNode } from '../../netfilter/xtables/tools/variant.ts';
import type {
  Backend,
  DrainRequest,
  DrainResult,
  Outdated,
  PacketCounts,
  Refusal,
  RemovalRequest,
  SyncRequest,
  SyncResult,
} from '../backend.ts';
import { CommandCount } from '../engine/commandCount.ts';
import { countInvalidDropped } from '../engine/apply/invalidDropped.ts';
import { tryRules } from '../engine/apply/tryRules.ts';
import { refusalFrom } from '../engine/preflight.ts';
import { SyncEngine } from '../engine/syncEngine.ts';
import type { BackendOptions } from '../mode.ts';
import { type AppliedState, IpvsWriter, type Programs } from './apply/ipvsWriter.ts';
import { readKernel } from './apply/kernel.ts';
import { tryKernel } from './apply/preflight.ts';
import { ToolLines } from './apply/toolLines.ts';
import { buildBridge } from './leave/bridge.ts';
import { cleanUp } from './leave/cleanup.ts';
import { drainAndRemove } from './leave/drainAndRemove.ts';
import { handOver } from './leave/handover.ts';
import { findDifference, isOfOtherAddresses } from './plan/kernelState.ts';
import { renderSample } from './plan/render.ts';

/** The backend of one IP family. Runs nothing yet. */
export function createIpvsBackend(options: BackendOptions): Backend {
  return new IpvsBackend(options);
}

class IpvsBackend implements Backend {
  readonly #node: XtablesNode;
  readonly #writer: IpvsWriter;
  readonly #engine: SyncEngine<Programs, AppliedState>;

  constructor({ family, host, ownership }: BackendOptions) {
    this.#node = { family, host, ownership };
    this.#writer = new IpvsWriter(this.#node);
    this.#engine = new SyncEngine(this.#writer);
  }

  preflight(config: NodeConfig): Promise<Refusal | undefined> {
    const { family } = this.#node;
    return refusalFrom(async () => {
      const programs = await this.#writer.open(config);
      await tryKernel(programs, family, config);
      await tryRules(programs.iptables, () => renderSample(config, family));
    });
  }

  sync(request: SyncRequest): Promise<SyncResult> {
    return this.#engine.sync(request);
  }

  /** Takes out real servers whose connections have ended meanwhile, too. */
  async findDrift(signal: AbortSignal): Promise<string | Outdated | undefined> {
    const { applied } = this.#engine;
    if (applied === undefined) return undefined;
    const { desired, programs } = applied;
    const kernel = await readKernel(programs.tools, this.#node.family, signal);
    if (isOfOtherAddresses(kernel, desired.kernel))
      return { outdated: "the node's own addresses are different, which NodePorts are served on" };
    const difference = findDifference(kernel, desired.kernel) ?? (await this.#writer.findRulesDrift(applied, signal));
    if (difference !== undefined || !desired.isDraining) return difference;
    const lines = new ToolLines({ tools: programs.tools, count: new CommandCount(), signal });
    await this.#engine.write(() => this.#writer.write(desired.finishDraining(kernel), lines));
    return undefined;
  }

  isInNftables(): boolean {
    return this.#writer.variants.isNft(this.#engine.applied?.programs.iptables);
  }

  async packetCounts(signal: AbortSignal): Promise<PacketCounts | undefined> {
    const programs = this.#engine.applied?.programs;
    return programs && { invalidDropped: await countInvalidDropped(programs.iptables, signal) };
  }

  async prepareTakeover(signal: AbortSignal): Promise<void> {
    this.#engine.forget();
    await buildBridge(this.#node, signal);
  }

  async drainAndRemove(request: DrainRequest): Promise<DrainResult> {
    this.#engine.forget();
    return drainAndRemove(this.#node, request);
  }

  removeElsewhere(request?: RemovalRequest): Promise<readonly string[]> {
    return removeElsewhere(this.#writer.variants, this.#node, request);
  }

  async cleanup(request?: RemovalRequest): Promise<readonly string[]> {
    this.#engine.forget();
    return cleanUp(this.#node, request);
  }

  async handover(): Promise<readonly string[]> {
    this.#engine.forget();
    return handOver(this.#node);
  }
}
