/**
 * An address and port of a transport protocol.
 */
import type { Protocol } from '../model/protocol.ts';

export interface Socket {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
}
