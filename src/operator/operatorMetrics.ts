/**
 * Prometheus metrics of the operator: what its statuses say, as numbers to alert on.
 */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import { findCondition } from '../api/conditions.ts';
import type { StatusUpdate } from './status/statusUpdate.ts';

/** docs/reference/metrics.md lists them. */
export interface OperatorMetrics {
  readonly registry: Registry;
  /** Sets the gauges; of all ProxyConfigs at once, so that a deleted one leaves no line behind. */
  observe(updates: readonly StatusUpdate[]): void;
  readonly reconciliations: Counter<'result'>;
  readonly nodeWrites: Counter;
  readonly writeConflicts: Counter<'resource'>;
  readonly refusedWrites: Counter<'resource'>;
  readonly watchErrors: Counter<'resource'>;
}

/** In a registry of their own, with the metrics of the process. */
export function createOperatorMetrics(): OperatorMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const nodes = new Gauge({
    name: 'proxyconfig_nodes',
    help: 'Nodes of a ProxyConfig, as in its status.nodes',
    labelNames: ['proxyconfig', 'state'],
    registers,
  });
  const conditions = new Gauge({
    name: 'proxyconfig_condition',
    help: '1 where the condition is True, else 0',
    labelNames: ['proxyconfig', 'type'],
    registers,
  });
  return {
    registry,
    reconciliations: new Counter({
      name: 'proxyconfig_reconciliations_total',
      help: 'Reconciliations of the whole cluster',
      labelNames: ['result'],
      registers,
    }),
    nodeWrites: new Counter({
      name: 'proxyconfig_nodeproxy_writes_total',
      help: 'NodeProxies created or changed',
      registers,
    }),
    writeConflicts: new Counter({
      name: 'proxyconfig_write_conflicts_total',
      help: 'Writes that came too late, because the object had changed meanwhile',
      labelNames: ['resource'],
      registers,
    }),
    refusedWrites: new Counter({
      name: 'proxyconfig_refused_writes_total',
      help: 'Statuses that the API server refused as they were',
      labelNames: ['resource'],
      registers,
    }),
    watchErrors: new Counter({
      name: 'proxyconfig_watch_errors_total',
      help: 'Failed lists and watches',
      labelNames: ['resource'],
      registers,
    }),
    observe(updates): void {
      nodes.reset();
      conditions.reset();
      for (const { config, status } of updates) {
        const proxyconfig = config.metadata.name;
        for (const [state, count] of Object.entries(status.nodes ?? {})) nodes.set({ proxyconfig, state }, count);
        for (const type of ['Ready', 'Stalled', 'Degraded', 'Conflicted']) {
          conditions.set({ proxyconfig, type }, findCondition(status.conditions, type)?.status === 'True' ? 1 : 0);
        }
      }
    },
  };
}
