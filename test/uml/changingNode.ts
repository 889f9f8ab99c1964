/**
 * Runs inside the kernel under test: Services, and the part of an agent from its configuration to the kernel, without
 * an API server.
 */
import { inspect } from 'node:util';
import { Dataplane } from '../../src/agent/dataplane/dataplane.ts';
import type { DesiredConfig } from '../../src/agent/config/desiredConfig.ts';
import { ConfigController } from '../../src/agent/config/configController.ts';
import { Store } from '../../src/agent/watch/store.ts';
import type { NodeConfig, ProxyMode } from '../../src/api/nodeConfig.ts';
import type { Refusal } from '../../src/backend/backend.ts';
import { createBackend } from '../../src/backend/registry.ts';
import { decodeEndpointSlice } from '../../src/model/decodeEndpointSlice.ts';
import { decodeService } from '../../src/model/decodeService.ts';
import type { Command, RunCommand } from '../../src/system/command.ts';
import { node, serviceObject, sliceObjects } from '../support/serviceManifests.ts';
import { configOf, services } from '../support/trafficServices.ts';
import { assignedNodeProxy } from '../support/assignedNodeProxy.ts';
import { until } from '../support/until.ts';
import { noOtherProxies } from '../support/noOtherProxies.ts';

/** In ms. A change of mode in User Mode Linux takes up to a minute on a busy machine. */
export const maxWaitMs = 120_000;
const pollMs = 50;

let revisions = 0;

/** A configuration with a revision of its own. */
function desire(
  mode: ProxyMode,
  source: DesiredConfig['source'],
  migration: Partial<NodeConfig['migration']> = {},
): DesiredConfig {
  revisions += 1;
  return { source, revision: `r${revisions}`, config: configOf(mode, migration) };
}

/** An agent from its configuration to the kernel. After `cutAfter` it runs no program any more, as if it was killed. */
export class Agent {
  readonly dataplane: Dataplane;
  readonly log: string[] = [];
  readonly #run: RunCommand;
  #desired: DesiredConfig | undefined;
  #commandsLeft = Infinity;
  readonly wasCut = Promise.withResolvers<void>();
  /** Whether a program, with its input, is reported as successful without being run. */
  isFaked: (file: string, input: string) => boolean = () => false;

  constructor(run: RunCommand) {
    this.#run = run;
    const store = new Store();
    store.setNode(node);
    for (const service of services) {
      store.setService(`default/${service.name}`, decodeService(serviceObject(service)));
      for (const slice of sliceObjects(service))
        store.setSlice((slice['metadata'] as { name: string }).name, decodeEndpointSlice(slice));
    }
    const addToLog = this.#addToLog;
    this.dataplane = new Dataplane({
      store,
      otherProxies: noOtherProxies,
      makeBackend: (mode, family) =>
        mode === 'iptables' || mode === 'ipvs'
          ? createBackend(mode, family, { run: (command) => this.#command(command) })
          : { reason: 'ModeNotAvailable', message: mode },
      listeners: [
        {
          onFailure: (_loop, { error }) => addToLog('sync failed', error),
          onDrift: (_loop, what) => addToLog(`drift: ${what}`),
        },
      ],
      logger: { error: addToLog, warn: addToLog, info: addToLog, debug: () => undefined },
      onRequeue: () => undefined,
      timing: { settleMs: 1000, pollMs: 3000 },
    });
  }

  readonly #addToLog = (message: string, fields: object = {}): void =>
    void this.log.push(`${message} ${inspect(fields, { breakLength: Infinity, depth: 4 })}`);

  /** The command after so many more never ends; then `wasCut` resolves. */
  cutAfter(commands: number): void {
    this.#commandsLeft = commands;
  }

  async #command(command: Command): Promise<string> {
    this.#commandsLeft -= 1;
    if (this.#commandsLeft < 0) {
      this.wasCut.resolve();
      return new Promise(() => undefined);
    }
    const input = [...(command.input ?? [])];
    return this.isFaked(command.file, input.join('')) ? '' : this.#run({ ...command, ...(command.input && { input }) });
  }

  /**
   * Assigns a mode, and resolves when it is in force, to undefined, or refused, to the reason. `isProbed`: its probe
   * succeeds at once, so that the mode before is drained and removed.
   */
  async assign(
    mode: ProxyMode,
    { isProbed = true, ...migration }: { isProbed?: boolean } & Partial<NodeConfig['migration']> = {},
  ): Promise<Refusal | undefined> {
    const desired = desire(mode, 'NodeProxy', migration);
    this.#desired = desired;
    const refusal = await this.dataplane.accept(desired);
    await until(
      `mode ${mode} in force`,
      () => refusal !== undefined || this.dataplane.status.inForce?.revision === desired.revision,
      maxWaitMs,
      pollMs,
    );
    if (isProbed && refusal === undefined) this.dataplane.handleProbeResult(desired.revision, undefined);
    return refusal;
  }

  /** As `assign`; throws when the mode is refused. */
  async changeMode(mode: ProxyMode, migration: Partial<NodeConfig['migration']> = {}): Promise<void> {
    const refusal = await this.assign(mode, migration);
    if (refusal !== undefined) throw new Error(`mode ${mode} is refused: ${refusal.reason}: ${refusal.message}`);
  }

  /** Lets the probe of the mode in force fail, and accepts the configuration again, as the config controller does. */
  async failProbe(): Promise<Refusal | undefined> {
    if (this.#desired === undefined) throw new Error('no mode to probe');
    this.dataplane.handleProbeResult(this.#desired.revision, {
      kind: 'failed',
      why: { reason: 'ProbeFailed', message: 'no connection' },
    });
    return this.dataplane.accept(this.#desired);
  }

  /** Starts as an agent does, with a saved mode and that of its NodeProxy; resolves when the latter may stay. */
  async start(saved: ProxyMode, desired: ProxyMode): Promise<void> {
    const logger = { error: this.#addToLog, warn: this.#addToLog, info: this.#addToLog, debug: () => undefined };
    const configController = new ConfigController({
      dataplane: this.dataplane,
      saved: desire(saved, 'Saved'),
      logger,
      onDecision: () => undefined,
    });
    const { revision, config } = desire(desired, 'NodeProxy');
    configController.setNodeProxy(assignedNodeProxy({ revision, config }));
    await configController.decide();
    await until(
      `mode ${desired} in force`,
      () => this.dataplane.status.inForce?.revision === revision,
      maxWaitMs,
      pollMs,
    );
    this.dataplane.handleProbeResult(revision, undefined);
    await configController.stop();
  }

  /** Resolves when nothing of other modes is left. */
  async untilOthersRemoved(): Promise<void> {
    await until('other modes are removed', () => this.dataplane.status.areOthersRemoved === true, maxWaitMs, pollMs);
  }
}
