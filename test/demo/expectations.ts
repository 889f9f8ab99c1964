/**
 * @module What a step may ask of an answer; each gives the reason when it does not hold.
 */
import type { Answer, Expectation } from './scene.ts';

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

export const succeeds: Expectation = ({ exitCode }) => (exitCode === 0 ? undefined : `exit status ${exitCode}`);

export function all(...expectations: readonly Expectation[]): Expectation {
  return (answer, scene) => {
    for (const expectation of expectations) {
      const reason = expectation(answer, scene);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

export function contains(...texts: readonly string[]): Expectation {
  return all(succeeds, ({ stdout }) => {
    const missing = texts.filter((text) => !stdout.includes(text));
    return missing.length === 0 ? undefined : `does not contain ${missing.join(', ')}`;
  });
}

export function lacks(text: string): Expectation {
  return all(succeeds, ({ stdout }) => (stdout.includes(text) ? `contains ${text}` : undefined));
}

export function hasLines(count: number): Expectation {
  return all(succeeds, ({ stdout }) =>
    linesOf(stdout).length === count ? undefined : `has ${linesOf(stdout).length} lines, not ${count}`,
  );
}

/** As many times as the cluster has nodes. */
export function forEachNode(pattern: RegExp): Expectation {
  return all(succeeds, ({ stdout }, { cluster }) => {
    const found = stdout.match(pattern)?.length ?? 0;
    return found === cluster.nodes.length ? undefined : `says so of ${found} of ${cluster.nodes.length} nodes`;
  });
}

/** Refused with a message that holds the text. */
export function refusedNaming(text: string): Expectation {
  return ({ exitCode, stderr }) => {
    if (exitCode === 0) return 'was accepted';
    return stderr.includes(text) ? undefined : `the refusal does not name ${text}`;
  };
}

/** How often each line came. */
export function countLines({ stdout }: Answer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of linesOf(stdout)) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** `places` different lines, each as often as the others, within six standard deviations of a fair draw. */
export function evenSpread(places: number): Expectation {
  return all(succeeds, (answer) => {
    const counts = [...countLines(answer).values()];
    const total = counts.reduce((sum, count) => sum + count, 0);
    const fair = total / places;
    const tolerance = 6 * Math.sqrt(total * (1 / places) * (1 - 1 / places));
    if (counts.length !== places) return `${counts.length} different answers, not ${places}`;
    return counts.every((count) => Math.abs(count - fair) <= tolerance)
      ? undefined
      : `uneven: ${counts.join(', ')} of ${total}`;
  });
}

/** The same line each time. */
export const alwaysTheSame: Expectation = all(succeeds, (answer) =>
  countLines(answer).size === 1 ? undefined : `${countLines(answer).size} different answers`,
);
