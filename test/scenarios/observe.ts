/**
 * Sends a row's packets and says who answered; whether that is right is decided elsewhere.
 */
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Answer, Network, Question } from '../support/network.ts';
import type { PacketRow } from './scenario.ts';
import { expectationIn } from './scenario.ts';

export interface Observation {
  readonly protocol: Question['protocol'];
  /** An Answer, or all different ones to many questions, sorted. */
  readonly answer: unknown;
}

/** The chance that one of three pods is never among so many answers is 3e-11. */
const manyQuestions = 60;
const dropTimeoutMs = 250;
const answerTimeoutMs = 5000;

/** `slowness`: how many times longer than usual an answer may take here. */
export async function observe(
  network: Network,
  family: IPFamily,
  row: PacketRow,
  slowness = 1,
): Promise<readonly Observation[]> {
  const protocols = row.protocol === undefined ? (['TCP', 'UDP'] as const) : [row.protocol];
  const expected = expectationIn(row, family);
  const timeoutMs = expected === 'DROPPED' ? dropTimeoutMs * slowness : answerTimeoutMs * slowness;
  const isSingle = typeof expected === 'string' || 'by' in expected;
  return Promise.all(
    protocols.map(async (protocol) => {
      const question: Question = { protocol, address: row.to[family], port: row.port ?? 80, timeoutMs };
      const other =
        row.andTo === undefined ? question : { ...question, address: row.andTo.address[family], port: row.andTo.port };
      const ask = (number: number): Promise<Answer> => network.ask(row.from, number % 2 === 0 ? question : other);
      return { protocol, answer: isSingle ? await ask(0) : await differentAnswers(ask) };
    }),
  );
}

/** Ends early with an answer that nobody expects: every further one would take the whole time-out. */
async function differentAnswers(ask: (number: number) => Promise<Answer>): Promise<unknown> {
  const answers = new Map<string, Answer>();
  for (let number = 0; number < manyQuestions; number += 1) {
    const answer = await ask(number);
    if (typeof answer === 'string' || !('by' in answer)) return answer;
    answers.set(`${answer.by} ${answer.seenFrom}`, answer);
  }
  return [...answers.keys()].sort().map((key) => answers.get(key));
}
