/** Cost follows the change: the work of one changed endpoint, counted among 10 and among 10,000 Services. */
import { describe, expect, test } from '@jest/globals';
import { SyncWork } from '../../../src/backend/engine/syncWork.ts';
import { IpvsWriter } from '../../../src/backend/ipvs/apply/ipvsWriter.ts';
import { ownership } from '../../../src/backend/registry.ts';
import { LargeChanges } from '../../../src/backend/engine/serviceRules/largeChanges.ts';
import { atOnce } from '../../../src/backend/engine/turns.ts';
import { ServiceChains } from '../../../src/backend/engine/serviceRules/serviceChains.ts';
import { planTables } from '../../../src/backend/ipvs/plan/render.ts';
import { ChainDigests } from '../../../src/netfilter/xtables/chainDigests.ts';
import type { Iptables } from '../../../src/netfilter/xtables/tools/iptables.ts';
import type { ServiceManifest } from '../../support/serviceManifests.ts';
import { stateOf } from '../../support/serviceManifests.ts';
import { balancedBy, manyServices, plainService, signal } from '../iptables/services.ts';
import { desiredStateOf } from './desiredStates.ts';

const done = async (input: Iterable<string>): Promise<void> => void [...input];
const never = (): Promise<never> => Promise.reject(new Error('a change reads nothing'));

async function workOfOneChange(
  services: number,
  shapeOf: (index: number) => Partial<ServiceManifest>,
): Promise<unknown> {
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
    restore: (_args, input) => done(input),
    list: never,
  };
  const writer = new IpvsWriter({ family: 'ipv4', host: {}, ownership });
  const { desired, context, become } = desiredStateOf();
  const before = manyServices(services).map((service, index) => Object.assign(service, shapeOf(index)));
  become(before);
  const plan = planTables(stateOf('ipv4', before), context);
  const chains = new ServiceChains(plan.fixed);
  for (const key of plan.keys()) chains.fill(key, atOnce(plan.rulesOf(key)));
  for (const _chain of chains.finishFill());
  const state = stateOf('ipv4', [{ ...plainService(7, ['podA', 'podC', 'remotePod']), ...shapeOf(7) }]);
  const work = new SyncWork({ state, quarantine: new Map(), signal, objectsOf: () => 1 });
  const rules = {
    iptables,
    maxLines: Infinity,
    chains,
    largeChanges: new LargeChanges(chains, Infinity),
    digests: new ChainDigests(),
  };
  const applied = { programs: { tools, iptables }, context, desired, rules, commentsOmitted: services > 1000 };
  await writer.writeChange(applied, new Set(state.keys()), work);
  const { servicePortsPlanned, linesSent, commandsRun, services: known } = work.resultOf(writer.holdingsOf(applied));
  return { servicePortsPlanned, linesSent, commandsRun, services: known };
}

describe('IpvsWriter', () => {
  test('one endpoint changed sends the same lines by the same commands at 10 and at 10,000 Services', async () => {
    const work = { servicePortsPlanned: 1, linesSent: 3, commandsRun: 2 };
    expect(await workOfOneChange(10, () => ({}))).toEqual({ ...work, services: 10 });
    expect(await workOfOneChange(10_000, () => ({}))).toEqual({ ...work, services: 10_000 });
  });

  test('and so it does where each Service has a load balancer IP, with the chains of that Service', async () => {
    const work = { servicePortsPlanned: 1, linesSent: 15, commandsRun: 3 };
    expect(await workOfOneChange(10, balancedBy)).toEqual({ ...work, services: 10 });
    expect(await workOfOneChange(10_000, balancedBy)).toEqual({ ...work, services: 10_000 });
  });
});
