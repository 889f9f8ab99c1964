/** What another proxy serves changes no Service's own objects, and so nothing of what is known of those refused. */
import { expect, test } from '@jest/globals';
import { SyncEngine } from '../../../src/backend/engine/syncEngine.ts';
import type { SyncWork } from '../../../src/backend/engine/syncWork.ts';
import type { ServiceKey } from '../../../src/model/service.ts';
import { SyncError } from '../../../src/netfilter/errors.ts';
import { CommandError } from '../../../src/system/command.ts';
import { manyServices, signal, state } from '../iptables/services.ts';

const programs = {};

test('who is refused is remembered when another proxy begins to serve a cluster IP', async () => {
  const known = state(manyServices(200));
  const refused = new Set([...known.keys()].slice(0, 50));
  const tried = new Set<ServiceKey>();
  const load = (keys: readonly ServiceKey[], work: SyncWork): object => {
    const planned = keys.filter((key) => work.planned(key, (ports) => ports).length > 0);
    if (!planned.some((key) => refused.has(key))) return {};
    throw new SyncError('ToolFailed', 'the tool failed', { cause: new CommandError('Failed', 'refused') });
  };
  const engine = new SyncEngine<object, object>({
    objects: 'entries',
    objectsOf: () => 1,
    open: () => Promise.resolve(programs),
    writeAll: async (_programs, work) => load([...work.state.keys()], work),
    writeChange: async (_applied, changed, work) => void load([...changed], work),
    tryOut: async (some, _programs, work) => {
      for (const key of some) tried.add(key);
      load(some, work);
    },
    endTrials: () => Promise.resolve(),
    removeOf: () => Promise.resolve(),
    holdingsOf: () => ({ services: 0, endpoints: 0, rulesHash: '', rulesByTable: {} }),
  });
  await engine.sync({ state: known, changed: 'all', signal });
  tried.clear();
  const clusterIPRanges = { networks: [], foreign: ['10.96.0.9'] };
  await engine.sync({ state: { ...known, clusterIPRanges }, changed: 'all', signal });
  // As in any full sync; all 50 where nothing is known of them.
  expect(tried.size).toBe(20);
});
