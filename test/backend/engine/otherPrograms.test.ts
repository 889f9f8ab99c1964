/** What was written with other programs than those that serve now goes, whatever fails on the way. */
import { expect, test } from '@jest/globals';
import { SyncEngine } from '../../../src/backend/engine/syncEngine.ts';
import { SyncError } from '../../../src/netfilter/errors.ts';
import { manyServices, signal, state } from '../iptables/services.ts';

const programsOf = { Auto: {}, Nft: {}, Legacy: {} };
type Step = 'written' | 'removed';

test.each<Step>(['written', 'removed'])('goes also after a sync in which nothing could be %s', async (failing) => {
  const removed: object[] = [];
  let failsAt: Step | undefined;
  const fail = (at: Step): void => {
    if (failsAt === at) throw new SyncError('ToolTimedOut', 'too slow');
  };
  const engine = new SyncEngine<object, object>({
    objects: 'entries',
    objectsOf: () => 1,
    open: ({ iptables }) => Promise.resolve(programsOf[iptables?.backend ?? 'Auto']),
    writeAll: async () => {
      fail('written');
      return {};
    },
    writeChange: () => Promise.resolve(),
    tryOut: () => Promise.resolve(),
    removeOf: async (programs) => {
      fail('removed');
      removed.push(programs);
    },
    holdingsOf: () => ({ services: 0, endpoints: 0, rulesHash: '', rulesByTable: {} }),
  });
  const sync = (backend: 'Nft' | 'Legacy'): Promise<unknown> =>
    engine.sync({ state: state(manyServices(1), { iptables: { backend } }), changed: 'all', signal });

  await sync('Nft');
  failsAt = failing;
  await expect(sync('Legacy')).rejects.toThrow('too slow');
  failsAt = undefined;
  await sync('Legacy');
  await sync('Legacy');
  expect(removed).toEqual([programsOf.Nft]);
  expect(removed[0]).toBe(programsOf.Nft);
});
