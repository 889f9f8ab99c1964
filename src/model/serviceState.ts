/**
 * @module Everything that a node serves in one IP family, computed on demand: nothing is held that a record can give again.
 */
import type { NodeConfig } from '../api/nodeConfig.ts';
import type { IPFamily } from './ipFamily.ts';
import type { NodeRecord } from './node.ts';
import type { ServiceKey } from './service.ts';
import type { ServicePort } from './servicePort.ts';

export interface ServiceState {
  readonly family: IPFamily;
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  /** All Services with a record, sorted. */
  keys(): Iterable<ServiceKey>;
  /** The Service's ports in this family; empty when it is gone or has no address of the family. */
  ports(key: ServiceKey): readonly ServicePort[];
}
