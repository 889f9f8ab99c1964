/** What traffic through a node tells of the replacement of its agent. */
import type { TrafficReport } from '../support/traffic.ts';
import type { Figures } from './report.ts';

/** By the name of the host that the traffic came from. */
export type Reports = Readonly<Record<string, TrafficReport>>;

export function figuresOf(reports: Reports): Figures {
  const all = Object.values(reports);
  return {
    connections: all.reduce((sum, { connections }) => sum + connections, 0),
    lost: all.reduce((sum, report) => sum + lostOf(report), 0),
    longestGapMs: Math.max(...all.flatMap(({ slowestMs, longestSilenceMs }) => [slowestMs, longestSilenceMs])),
  };
}

function lostOf({ failed, broken, unanswered, lostSyns }: TrafficReport): number {
  return sumOf(failed) + broken.length + sumOf(unanswered) + lostSyns;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** None where nothing was lost, clients with affinity stayed with their endpoint, and there was traffic at all. */
export function problemsOf(reports: Reports): readonly string[] {
  return Object.entries(reports).flatMap(([from, report]) =>
    [...lossesOf(report), ...idleness(report), ...strayed(report)].map((problem) => `from ${from}: ${problem}`),
  );
}

function lossesOf({ failed, broken, unanswered, lostSyns }: TrafficReport): readonly string[] {
  return [
    ...Object.entries(failed).map(([what, count]) => `lost ${count} connections to ${what}`),
    ...broken.map((what) => `lost a flow: ${what}`),
    ...Object.entries(unanswered).map(([route, count]) => `lost ${count} questions or answers of ${route}`),
    ...(lostSyns > 0 ? [`lost ${lostSyns} SYNs`] : []),
  ];
}

function idleness({ flows, exchanges, connections, answeredBy }: TrafficReport): readonly string[] {
  return [
    ...(exchanges < flows ? [`${flows} flows were answered only ${exchanges} times`] : []),
    ...(connections === 0 || Object.keys(answeredBy).length === 0 ? ['no connection was answered'] : []),
  ];
}

/** Routes to a Service with affinity have it in their name. */
function strayed({ answeredBy }: TrafficReport): readonly string[] {
  return Object.entries(answeredBy)
    .filter(([route, names]) => route.includes('sticky') && names.length > 1)
    .map(([route, names]) => `${route} was answered by ${names.join(' and ')}`);
}
