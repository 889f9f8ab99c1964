/**
 * @module The order of the suites: the longest first, those that compute beside those that wait, so that the run does
 * not end with one long suite, and neither leaves the processors idle nor asks too much of them.
 */
import sequencer from '@jest/test-sequencer';
import { relative } from 'node:path';
import { type Suite, slowSuites } from './slowSuites.ts';

/** The package's types are those of its CommonJS build; its ES module exports the class itself. */
const TestSequencer = sequencer as unknown as typeof sequencer.default;
type Test = Parameters<sequencer.default['sort']>[0][number];

/** The names of the slow suites in the order of their start: in turn one that computes and one that waits. */
export function startOrder(suites: readonly Suite[]): string[] {
  const longestFirst = suites.toSorted((one, other) => other.seconds - one.seconds);
  const [busy, idle] = [
    longestFirst.filter(({ computes }) => computes),
    longestFirst.filter(({ computes }) => !computes),
  ];
  const turns = Array.from({ length: Math.max(busy.length, idle.length) }, (_, turn) => [busy[turn], idle[turn]]);
  return turns.flat().flatMap((suite) => (suite === undefined ? [] : [suite.name]));
}

export default class LongestFirst extends TestSequencer {
  /** Suites that are not known as slow follow in jest's own order, by the time that they took last. */
  override async sort(tests: Test[]): Promise<Test[]> {
    const order = startOrder(slowSuites);
    const place = ({ path, context }: Test): number => {
      const found = order.indexOf(relative(context.config.rootDir, path));
      return found < 0 ? order.length : found;
    };
    return (await super.sort(tests)).toSorted((one, other) => place(one) - place(other));
  }
}
