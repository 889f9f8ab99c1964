/**
 * @module What a person reads while the demo runs: the command, what came back, PASS or FAIL. Colours only on a
 * terminal.
 */
import { styleText } from 'node:util';
import { countLines } from './expectations.ts';
import type { Answer } from './scene.ts';
import type { Result } from './runStep.ts';

const shownLines = 12;

type Style = 'bold' | 'dim' | 'green' | 'red';
const paint = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

export function printProgress(line: string): void {
  console.log(paint('dim', line));
}

export function printChapter(title: string): void {
  console.log(`\n${paint('bold', title)}`);
}

/** Repeated answers are counted, long ones cut: what came back should fit on a screen. */
function summaryOf(answer: Answer): string[] {
  const text = answer.stdout.trim() === '' ? answer.stderr : answer.stdout;
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const counts = countLines({ ...answer, stdout: text });
  if (lines.length > shownLines && counts.size <= shownLines)
    return [...counts].map(([line, count]) => `${count} x ${line}`);
  return lines.length <= shownLines
    ? lines
    : [...lines.slice(0, shownLines), `... ${lines.length - shownLines} more lines`];
}

export function printResult(result: Result): void {
  console.log(`\n  ${result.step.title}`);
  console.log(`  ${paint('dim', '$')} ${result.shown}`);
  for (const line of summaryOf(result.answer))
    console.log(`    ${line.length > 200 ? `${line.slice(0, 199)}…` : line}`);
  const took = paint('dim', `(${(result.tookMs / 1000).toFixed(1)} s)`);
  if (result.reason === undefined) console.log(`  ${paint('green', 'PASS')} ${took}`);
  else console.log(`  ${paint('red', 'FAIL')} ${result.reason} ${took}`);
}

export function printVerdict(results: readonly Result[]): void {
  const failed = results.filter(({ reason }) => reason !== undefined);
  console.log('');
  for (const { step, reason } of failed) console.log(`${paint('red', 'FAIL')} ${step.title}: ${reason}`);
  console.log(paint('bold', `${results.length - failed.length} of ${results.length} steps PASS`));
}
