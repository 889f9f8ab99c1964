/**
 * Alerts and dashboard ask for what operator and agents expose: metric by metric, label by label.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { MetricObject, Registry } from 'prom-client';
import { parse } from 'yaml';
import { createAgentMetrics } from '../../src/observability/metrics.ts';
import { createOperatorMetrics } from '../../src/operator/operatorMetrics.ts';
import { namesIn } from './promql.ts';

interface Rules {
  readonly spec: {
    readonly groups: readonly {
      readonly rules: readonly {
        readonly alert: string;
        readonly expr: string;
        readonly annotations: Record<string, string>;
      }[];
    }[];
  };
}
interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}
interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly query: string | { readonly query: string } }[];
  };
}

const component = new URL('../../config/components/prometheus/', import.meta.url);
const textOf = (file: string): string => readFileSync(new URL(file, component), 'utf8');
const alerts = (parse(textOf('rules.yaml')) as Rules).spec.groups.flatMap(({ rules }) => rules);
const dashboard = JSON.parse(textOf('dashboard.json')) as Dashboard;
const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map((target, index) => ({ name: `${title}, ${index + 1}`, ...target })),
);

/** What Prometheus and our relabelling add to every series. */
const scrapeLabels = ['job', 'node', 'pod', 'instance', 'namespace'];
const agent = exposedBy(createAgentMetrics().registry);
const operator = exposedBy(createOperatorMetrics().registry);
const exposed = new Map([...agent, ...operator, ['up', []]]);

/** Series by name, with their labels. */
function exposedBy(registry: Registry): Map<string, readonly string[]> {
  const metrics = registry.getMetricsAsArray() as (MetricObject & { readonly labelNames: readonly string[] })[];
  return new Map(
    metrics.flatMap(({ name, labelNames }) =>
      ['', '_bucket', '_sum', '_count'].map(
        (suffix) => [name + suffix, suffix === '_bucket' ? [...labelNames, 'le'] : labelNames] as const,
      ),
    ),
  );
}

/** As Grafana would, with its own function taken off and its intervals filled in. */
function filledIn(query: string): string {
  return query
    .replace(/^label_values\((.*), (.*)\)$/, 'count by ($2) ($1)')
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$__range', '1h');
}

/** Names that nobody exposes. */
function unknownIn(query: string, furtherLabels: readonly string[] = []): string[] {
  const { metrics, labels } = namesIn(filledIn(query));
  const known = new Set([...scrapeLabels, ...[...metrics].flatMap((metric) => exposed.get(metric) ?? [])]);
  return [
    ...[...metrics].filter((metric) => !exposed.has(metric)),
    ...[...labels, ...furtherLabels].filter((label) => !known.has(label)),
  ];
}

describe('what is looked for', () => {
  test.each([
    { name: 'a metric of ours', query: 'sum(rate(proxyconfig_drifts_total{ip_family="IPv4"}[5m]))', unknown: [] },
    {
      name: 'a metric that is not there',
      query: 'proxyconfig_dreams_total > 0',
      unknown: ['proxyconfig_dreams_total'],
    },
    { name: 'a label that the metric lacks', query: 'sum by (table) (proxyconfig_drifts_total)', unknown: ['table'] },
  ])('$name', ({ query, unknown }) => expect(unknownIn(query)).toEqual(unknown));

  test('PromQL that is none', () => expect(() => unknownIn('sum by (rate(')).toThrow('not PromQL'));
});

describe('alerts', () => {
  test.each(alerts)('$alert', ({ expr, annotations }) => {
    const inWords = Object.values(annotations).flatMap((text) =>
      [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label),
    );
    expect(unknownIn(expr, inWords)).toEqual([]);
  });

  test('each says what is the matter and what to do', () => {
    expect(alerts.length).toBeGreaterThan(10);
    for (const { annotations } of alerts) expect(Object.keys(annotations)).toEqual(['summary', 'description']);
  });
});

describe('the dashboard', () => {
  test.each(queries)('$name', ({ expr, legendFormat }) => {
    const inLegend = [...legendFormat.matchAll(/{{(\w+)}}/g)].map(([, label = '']) => label);
    expect(unknownIn(expr, inLegend)).toEqual([]);
  });

  test('its variables are filled from metrics of ours', () => {
    const [source, ...others] = dashboard.templating.list;
    expect(source?.name).toBe('datasource');
    for (const { query } of others) expect(unknownIn((query as { query: string }).query)).toEqual([]);
  });
});
