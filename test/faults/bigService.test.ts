/**
 * One Service of very many ports and endpoints is put up beside others: a neighbor's changes go on meanwhile, and
 * nobody takes the agent for dead. How large its blocks are and who is written between them says
 * `test/backend/iptables/blocks.test.ts`; `npm run faults -- big-service` has the figures.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { median } from '../bench/statistics.ts';
import { bigEndpointNetwork } from '../support/bigService.ts';
import { describeWhere } from '../support/requirements.ts';
import { scaled } from '../support/scale.ts';
import { extraServices, FaultNode } from './faultNode.ts';
import { probe } from './figures/bigService.ts';

const size = scaled({ ports: 200, endpoints: 50 }, { ports: 1000, endpoints: 100 });
/** Three times the minute in which all of its ports are to answer. */
const timeoutMs = 180_000;

describeWhere(['root', 'cluster', 'iptables'], 'Agent with a big Service', () => {
  let node: FaultNode;
  beforeAll(async () => {
    node = await FaultNode.start(extraServices(scaled(100, 1000)));
    await node.host.run(['ip', 'route', 'add', 'local', bigEndpointNetwork, 'dev', 'lo']);
  }, 180_000);
  afterAll(async () => {
    await node?.stop();
  }, 30_000);

  test(
    'serves all of its ports, and meanwhile changes of a neighbor',
    async () => {
      const before = node.syncs();
      const { quiet, busy, allPortsAnswerMs, livezAnswers, livezFailures } = await probe(node, size);
      process.stdout.write(
        `${size.ports} ports with ${size.endpoints} endpoints answered after ${Math.round(allPortsAnswerMs)} ms; changes of a neighbor took ${Math.round(Math.max(...busy))} ms at most meanwhile, ${Math.round(median(quiet))} ms at p50 afterwards\n`,
      );
      expect(livezAnswers).toBeGreaterThan(0);
      expect(livezFailures).toBe(0);
      expect(busy.length).toBeGreaterThan(1);
      // Each block of 1,500 lines is a sync of its own.
      expect(node.syncs() - before).toBeGreaterThan((size.ports * size.endpoints) / 1500);
    },
    timeoutMs,
  );
});
