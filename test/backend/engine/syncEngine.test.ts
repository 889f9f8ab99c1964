/** What the engine promises for any mode, with a mode that keeps its objects in memory. */
import { describe, expect, test } from '@jest/globals';
import type { NodeConfig } from '../../../src/api/nodeConfig.ts';
import type { SyncResult } from '../../../src/backend/backend.ts';
import { type EngineOptions, type ModeWriter, SyncEngine } from '../../../src/backend/engine/syncEngine.ts';
import type { Holdings, SyncWork } from '../../../src/backend/engine/syncWork.ts';
import type { ServiceKey } from '../../../src/model/service.ts';
import type { ServiceSize } from '../../../src/model/serviceSize.ts';
import { InvalidRule } from '../../../src/netfilter/checked.ts';
import { SyncError } from '../../../src/netfilter/errors.ts';
import { CommandError } from '../../../src/system/command.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { manyServices, plainService, signal, state } from '../iptables/services.ts';

interface Programs {
  readonly backend: string;
}

/** Holds the keys of the Services that it serves. */
type Applied = Set<ServiceKey>;

function refusal(): SyncError {
  return new SyncError('ToolFailed', 'the tool failed', { cause: new CommandError('Failed', 'refused') });
}

class MemoryWriter implements ModeWriter<Programs, Applied> {
  readonly objects = 'entries';
  readonly calls: string[] = [];
  readonly removed: string[] = [];
  readonly refused = new Set<ServiceKey>();
  readonly invalid = new Set<ServiceKey>();
  /** How often each was tried out alone or among others. */
  readonly tried = new Map<ServiceKey, number>();
  /** Refuses any change, but nothing that is written with everything. */
  refusesChanges = false;
  objectsPerPort = 1;
  failure: Error | undefined;
  readonly #programs = new Map<string, Programs>();

  objectsOf({ ports }: ServiceSize): number {
    return ports * this.objectsPerPort;
  }

  open({ iptables }: NodeConfig): Promise<Programs> {
    const backend = iptables?.backend ?? 'Auto';
    const programs = this.#programs.get(backend) ?? { backend };
    this.#programs.set(backend, programs);
    return Promise.resolve(programs);
  }

  async writeAll(_programs: Programs, work: SyncWork): Promise<Applied> {
    this.calls.push('all');
    return new Set(await this.#load([...work.state.keys()], work));
  }

  async writeChange(applied: Applied, changed: ReadonlySet<ServiceKey>, work: SyncWork): Promise<void> {
    this.calls.push(`change ${[...changed].join()}`);
    if (this.refusesChanges) throw refusal();
    for (const key of changed) applied.delete(key);
    for (const key of await this.#load([...changed], work)) applied.add(key);
  }

  async tryOut(some: readonly ServiceKey[], _programs: Programs, work: SyncWork): Promise<void> {
    for (const key of some) this.tried.set(key, (this.tried.get(key) ?? 0) + 1);
    await this.#load(some, work);
  }

  endTrials(): Promise<void> {
    this.calls.push('end of trials');
    return Promise.resolve();
  }

  removeOf({ backend }: Programs): Promise<void> {
    this.removed.push(backend);
    return Promise.resolve();
  }

  holdingsOf(applied: Applied): Holdings {
    return { services: applied.size, endpoints: 0, rulesHash: '', rulesByTable: {} };
  }

  #load(keys: readonly ServiceKey[], work: SyncWork): Promise<readonly ServiceKey[]> {
    const planned = keys.filter((key) => work.planned(key, (ports) => this.#plan(key, ports)).length > 0);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (planned.some((key) => this.refused.has(key))) return Promise.reject(refusal());
    return Promise.resolve(planned);
  }

  #plan<Port>(key: ServiceKey, ports: readonly Port[]): readonly Port[] {
    if (this.invalid.has(key)) throw new InvalidRule('a token');
    return ports;
  }
}

const three = manyServices(3);
const [first = '', second = '', third = ''] = state(three).keys();
const many = manyServices(200);
const manyKeys = [...state(many).keys()];

function engineOf(
  manifests: readonly ServiceManifest[] = three,
  options: EngineOptions = {},
): {
  writer: MemoryWriter;
  sync: (changed: readonly ServiceKey[] | 'all', config?: Partial<NodeConfig>) => Promise<SyncResult>;
  engine: SyncEngine<Programs, Applied>;
} {
  const writer = new MemoryWriter();
  const engine = new SyncEngine(writer, options);
  return {
    writer,
    engine,
    sync: (changed, config = {}) =>
      engine.sync({ state: state(manifests, config), changed: changed === 'all' ? 'all' : new Set(changed), signal }),
  };
}

function leftOut({ quarantined = [] }: SyncResult): readonly string[] {
  return quarantined.map(({ service, reason }) => `${service} ${reason}`);
}

describe('SyncEngine', () => {
  test('writes everything first, and then what changes', async () => {
    const { sync, writer } = engineOf();
    expect(await sync([first])).toMatchObject({ full: true, services: 3, servicePortsPlanned: 3 });
    expect(await sync([first])).toMatchObject({ full: false, services: 3, servicePortsPlanned: 1 });
    expect(writer.calls).toEqual(['all', `change ${first}`]);
  });

  test('writes everything for another configuration', async () => {
    const { sync, writer } = engineOf();
    await sync('all');
    await sync([first], { masquerade: { bit: 15, all: false } });
    expect(writer.calls).toEqual(['all', 'all']);
    expect(writer.removed).toEqual([]);
  });

  test('takes away what was written with other programs, when everything stands', async () => {
    const { sync, writer } = engineOf();
    await sync('all', { iptables: { backend: 'Nft' } });
    await sync([first], { iptables: { backend: 'Legacy' } });
    expect(writer.calls).toEqual(['all', 'all']);
    expect(writer.removed).toEqual(['Nft']);
  });

  test('knows nothing of the kernel after a failure, and writes everything', async () => {
    const { sync, writer, engine } = engineOf();
    await sync('all');
    writer.failure = new SyncError('ToolTimedOut', 'too slow');
    await expect(sync([first])).rejects.toThrow('too slow');
    expect(engine.applied).toBeUndefined();
    writer.failure = undefined;
    expect(await sync([first])).toMatchObject({ full: true, services: 3 });
  });

  test('knows nothing of the kernel while something else writes, and after that has failed', async () => {
    const { sync, engine } = engineOf();
    await sync('all');
    await engine.write(async () => expect(engine.applied).toBeUndefined());
    expect(engine.applied?.size).toBe(3);
    await expect(engine.write(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(engine.applied).toBeUndefined();
  });

  test('leaves out the Service that is refused, until it changes', async () => {
    const { sync, writer } = engineOf();
    writer.refused.add(second);
    const result = await sync('all');
    expect(leftOut(result)).toEqual([`${second} KernelRefused`]);
    expect(result.quarantined?.[0]?.message).toContain('the kernel refused the entries of this Service');
    expect(result.services).toBe(2);
    expect(leftOut(await sync([first]))).toEqual([`${second} KernelRefused`]);
    writer.refused.clear();
    const healed = await sync([second]);
    expect(leftOut(healed)).toEqual([]);
    expect(healed).toMatchObject({ full: false, services: 3 });
  });

  const twoPorts = {
    ...plainService(0),
    ports: [
      { name: 'a', port: 80 },
      { name: 'b', port: 81 },
    ],
  };
  test.each([
    { objects: 200_000, when: 'everything is written', changed: 'all', out: [] },
    { objects: 200_002, when: 'everything is written', changed: 'all', out: [`${first} TooManyRules`] },
    { objects: 200_000, when: 'it changes', changed: [first], out: [] },
    { objects: 200_002, when: 'it changes', changed: [first], out: [`${first} TooManyRules`] },
  ] as const)('leaves $out out of $objects objects when $when', async ({ objects, changed, out }) => {
    const { sync, writer } = engineOf([twoPorts, ...three.slice(1)]);
    await sync('all');
    writer.objectsPerPort = objects / 2;
    const result = await sync(changed);
    expect(leftOut(result)).toEqual(out);
    expect(result.services).toBe(3 - out.length);
    writer.objectsPerPort = 1;
    expect(await sync([first])).toMatchObject({ full: false, services: 3, quarantined: [] });
  });

  test('writes everything without the Service that is refused in a change, and ends the trials before', async () => {
    const { sync, writer } = engineOf();
    await sync('all');
    writer.refused.add(third);
    const result = await sync([first, third]);
    expect(result).toMatchObject({ full: true, services: 2 });
    expect(leftOut(result)).toEqual([`${third} KernelRefused`]);
    expect(writer.calls).toEqual(['all', `change ${first},${third}`, 'end of trials', 'all']);
  });

  test('leaves nobody out where all are refused: it is not the Services that are wrong', async () => {
    const { sync, writer } = engineOf();
    await sync('all');
    for (const key of [first, second, third]) writer.refused.add(key);
    await expect(sync('all')).rejects.toThrow('the tool failed');
    expect(writer.calls).toEqual(['all', 'all']);
  });

  test('leaves nobody out for a tool that was too slow', async () => {
    const { sync, writer } = engineOf();
    writer.failure = new SyncError('ToolTimedOut', 'too slow', { cause: new CommandError('TimedOut', 'slow') });
    await expect(sync('all')).rejects.toThrow('too slow');
    expect(writer.calls).toEqual(['all']);
  });

  test('leaves out a Service whose objects must not reach a tool, without a trial', async () => {
    const { sync, writer } = engineOf();
    writer.invalid.add(first);
    const result = await sync('all');
    expect(leftOut(result)).toEqual([`${first} InvalidRule`]);
    expect(result.services).toBe(2);
    expect(writer.calls).toEqual(['all']);
  });

  test('leaves out any number of Services that are refused, and no other', async () => {
    const { sync, writer } = engineOf(many);
    for (const key of manyKeys.filter((_key, index) => index % 2 === 0)) writer.refused.add(key);
    const result = await sync('all');
    expect(result).toMatchObject({ services: 100, untried: 0 });
    expect(new Set(result.quarantined?.map(({ service }) => service))).toEqual(writer.refused);
  });

  test('goes on with the search in the next syncs when its time is over, and serves whom it knows', async () => {
    const { sync, writer } = engineOf(many, { searchMs: 0 });
    for (const key of manyKeys.filter((_key, index) => index % 7 === 0)) writer.refused.add(key);
    const counts: number[] = [];
    let result = await sync('all');
    for (; (result.untried ?? 0) > 0; result = await sync('all')) {
      counts.push(result.services);
      expect(counts.length).toBeLessThan(100);
    }
    expect(counts.length).toBeGreaterThan(1);
    expect(counts[0]).toBeGreaterThan(0);
    expect(result.services).toBe(200 - writer.refused.size);
  });

  test('tries 20 of those that are known to be refused again in a full sync, in turn', async () => {
    const { sync, writer } = engineOf(many);
    for (const key of manyKeys.slice(0, 50)) writer.refused.add(key);
    await sync('all');
    const triedIn = async (): Promise<readonly ServiceKey[]> => {
      writer.tried.clear();
      await sync('all');
      return [...writer.tried.keys()].sort();
    };
    const rounds = [await triedIn(), await triedIn(), await triedIn()];
    expect(rounds.map(({ length }) => length)).toEqual([20, 20, 20]);
    expect(new Set(rounds.flat())).toEqual(writer.refused);
  });

  test('serves a Service again that is accepted in a full sync', async () => {
    const { sync, writer } = engineOf(many);
    for (const key of manyKeys.slice(0, 3)) writer.refused.add(key);
    await sync('all');
    writer.refused.delete(manyKeys[1] ?? '');
    const result = await sync('all');
    expect(result.services).toBe(198);
    expect(leftOut(result)).toEqual([0, 2].map((index) => `${manyKeys[index]} KernelRefused`));
  });

  test('tries a Service that has changed in a full sync, whatever is known of it', async () => {
    const manifests = [...many];
    const { sync, writer } = engineOf(manifests);
    for (const key of manyKeys.slice(0, 50)) writer.refused.add(key);
    await sync('all');
    manifests[49] = plainService(49, ['podC']);
    writer.refused.delete(manyKeys[49] ?? '');
    expect(await sync('all')).toMatchObject({ services: 151 });
  });

  test('writes everything in the same sync where a change is refused and no Service is to blame', async () => {
    const { sync, writer } = engineOf();
    await sync('all');
    writer.refusesChanges = true;
    const result = await sync([first]);
    expect(result).toMatchObject({ full: true, services: 3, quarantined: [] });
    expect(writer.calls).toEqual(['all', `change ${first}`, 'all']);
  });
});
