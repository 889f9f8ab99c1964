/**
 * The Services that the kernel is known to refuse, over many syncs: with hundreds of them, to find them again in every
 * full sync would keep all others waiting.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import type { QuarantinedService } from '../backend.ts';
import type { Quarantine } from './quarantine.ts';

/** So many are tried again in one full sync, the longest untried first. */
const maxRetried = 20;

export class Refusals {
  /** Those that were tried last stand last. */
  readonly #known = new Map<ServiceKey, QuarantinedService>();
  /** What each of them asked for when it was refused. */
  readonly #asked = new Map<ServiceKey, string>();

  get quarantine(): Quarantine {
    return this.#known;
  }

  /** To be tried again. */
  get due(): readonly ServiceKey[] {
    return [...this.#known.keys()].slice(0, maxRetried);
  }

  /** The Service was refused just now, asking for these ports. */
  add(refused: QuarantinedService, ports: readonly ServicePort[]): void {
    this.#known.delete(refused.service);
    this.#known.set(refused.service, refused);
    this.#asked.set(refused.service, JSON.stringify(ports));
  }

  /** What is known of these counts no more. */
  forget(keys: Iterable<ServiceKey>): void {
    for (const key of keys) {
      this.#known.delete(key);
      this.#asked.delete(key);
    }
  }

  /** Forgets those that ask for something else now, or are gone. */
  forgetChanged(portsOf: (key: ServiceKey) => readonly ServicePort[]): void {
    this.forget([...this.#asked].filter(([key, asked]) => JSON.stringify(portsOf(key)) !== asked).map(([key]) => key));
  }

  /** Everything is written in another way now. */
  forgetAll(): void {
    this.#known.clear();
    this.#asked.clear();
  }
}
