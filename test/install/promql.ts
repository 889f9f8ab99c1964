/**
 * @module Reads PromQL by Prometheus' own grammar: whether it is well-formed, and which metrics and labels it names.
 */
import { parser } from '@prometheus-io/lezer-promql';

export interface QueryNames {
  readonly metrics: ReadonlySet<string>;
  readonly labels: ReadonlySet<string>;
}

/** Throws a SyntaxError that shows the place. */
export function namesIn(query: string): QueryNames {
  const metrics = new Set<string>();
  const labels = new Set<string>();
  parser.parse(query).iterate({
    enter: ({ name, type, from, to }) => {
      if (type.isError) throw new SyntaxError(`not PromQL: ${query.slice(0, from)} ▶ ${query.slice(from)}`);
      if (name === 'Identifier') metrics.add(query.slice(from, to));
      if (name === 'LabelName') labels.add(query.slice(from, to));
    },
  });
  return { metrics, labels };
}
