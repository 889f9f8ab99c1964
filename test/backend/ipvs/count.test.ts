/** Cost follows the change: the work of one changed endpoint, counted among 10 and among 10,000 Services. */
import { describe, expect, test } from '@jest/globals';
import { SyncWork } from '../../../src/backend/engine/syncWork.ts';
import { IpvsWriter } from '../../../src/backend/ipvs/apply/ipvsWriter.ts';
import { ownership } from '../../../src/backend/registry.ts';
import { FixedChains } from '../../../src/netfilter/xtables/fixedChains.ts';
import type { Iptables } from '../../../src/netfilter/xtables/tools/iptables.ts';
import { stateOf } from '../../support/serviceManifests.ts';
import { manyServices, plainService, signal } from '../iptables/services.ts';
import { desiredStateOf } from './desiredStates.ts';

const done = async (input: Iterable<string>): Promise<void> => void [...input];
const never = (): Promise<never> => Promise.reject(new Error('a change reads nothing'));

async function workOfOneChange(services: number): Promise<unknown> {
  const tools = {
    ipvsadm: { list: never, restore: done, probe: never },
    ipset: { save: never, restore: done },
    ip: { show: never, batch: done },
  };
  const iptables: Iptables = {
    family: 'ipv4',
    variant: 'legacy',
    version: '',
    save: never,
    counters: never,
    restore: never,
    list: never,
  };
  const writer = new IpvsWriter({ family: 'ipv4', host: {}, ownership });
  const { desired, context, become } = desiredStateOf();
  become(manyServices(services));
  const state = stateOf('ipv4', [plainService(7, ['podA', 'podC', 'remotePod'])]);
  const work = new SyncWork({ state, quarantine: new Map(), signal, objectsOf: () => 1 });
  const rules = new FixedChains({ jumps: [], chains: [] });
  const applied = { programs: { tools, iptables }, context, desired, rules };
  await writer.writeChange(applied, new Set(state.keys()), work);
  const { servicePortsPlanned, linesSent, commandsRun, services: known } = work.resultOf(writer.holdingsOf(applied));
  return { servicePortsPlanned, linesSent, commandsRun, services: known };
}

describe('IpvsWriter', () => {
  test('one endpoint changed sends the same lines by the same commands at 10 and at 10,000 Services', async () => {
    const work = { servicePortsPlanned: 1, linesSent: 3, commandsRun: 2 };
    expect(await workOfOneChange(10)).toEqual({ ...work, services: 10 });
    expect(await workOfOneChange(10_000)).toEqual({ ...work, services: 10_000 });
  });
});
