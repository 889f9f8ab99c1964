import { expect } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import type { Answer, HostName, Network, Question } from './network.ts';
import type { PacketRow } from './serviceTable.ts';

/** The chance that one of three pods is never among so many answers is 3e-11. */
const manyQuestions = 60;
const dropTimeoutMs = 250;
const answerTimeoutMs = 5000;

/** Sends the packets of all rows at once and compares who answered. */
export async function expectPackets(network: Network, family: IPFamily, rows: readonly PacketRow[]): Promise<void> {
  await Promise.all(rows.map((row) => expectRow(network, family, row)));
}

async function expectRow(network: Network, family: IPFamily, row: PacketRow): Promise<void> {
  for (const protocol of row.protocol === undefined ? (['TCP', 'UDP'] as const) : [row.protocol]) {
    const timeoutMs = row.expect === 'DROPPED' ? dropTimeoutMs : answerTimeoutMs;
    const question: Question = { protocol, address: row.to[family], port: row.port ?? 80, timeoutMs };
    const seen = await observe(network, row.from, question, row.expect);
    expect({ row: row.name, protocol, ...seen }).toEqual({ row: row.name, protocol, answer: expectedAnswer(row, family) });
  }
}

function expectedAnswer({ expect: expected }: PacketRow, family: IPFamily): unknown {
  if (typeof expected === 'string') return expected;
  if ('by' in expected) return { by: expected.by, seenFrom: expected.seenFrom[family] };
  if ('spreadOver' in expected) return [...expected.spreadOver].sort();
  return expect.arrayContaining([expect.stringMatching(new RegExp(`^(${expected.alwaysOneOf.join('|')})$`))]);
}

async function observe(network: Network, from: HostName, question: Question, expected: PacketRow['expect']): Promise<{ answer: unknown }> {
  if (typeof expected === 'string' || 'by' in expected) return { answer: await network.ask(from, question) };
  const answers: Answer[] = [];
  for (let count = 0; count < manyQuestions; count += 1) answers.push(await network.ask(from, question));
  const who = [...new Set(answers.map((answer) => (typeof answer === 'object' && 'by' in answer ? answer.by : JSON.stringify(answer))))].sort();
  if ('alwaysOneOf' in expected && who.length !== 1) return { answer: `${who.length} different answers: ${who.join(', ')}` };
  return { answer: who };
}
