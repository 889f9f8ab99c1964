/**
 * What a sync listener keeps of the Services while a sync runs, until it is known whether it succeeded.
 */
import type { SyncResult } from '../../backend/backend.ts';
import type { ServiceKey } from '../../model/service.ts';

/** The Services of which a listener remembers something. */
export interface Remembered {
  has(key: ServiceKey): boolean;
  keys(): Iterable<ServiceKey>;
}

type Success = Pick<SyncResult, 'full' | 'quarantined' | 'unfinished'>;

/** Belongs to one listener and one IP family. A Service of which there is nothing to remember costs nothing. */
export class ChosenInSync<Value> {
  readonly #remembered: Remembered;
  #chosen = new Map<ServiceKey, Value | undefined>();

  /** `remembered`: what the listener has taken over so far. */
  constructor(remembered: Remembered) {
    this.#remembered = remembered;
  }

  /** What the running sync chose for a Service, in place of what it chose before; undefined for nothing to remember. */
  note(key: ServiceKey, value: Value | undefined): void {
    if (value !== undefined || this.#remembered.has(key) || this.#chosen.has(key)) this.#chosen.set(key, value);
  }

  /**
   * The sync succeeded. Returns what is to be remembered from now on, by Service, undefined where that is nothing; a
   * Service that is not in it stays as it is. A Service that a full sync did not choose for is gone, but for one that
   * is left out of the rules: where it was left out before, nobody asks for it again. What was chosen for one that is
   * not completely written waits until it is.
   */
  take({ full, quarantined = [], unfinished = [] }: Success): ReadonlyMap<ServiceKey, Value | undefined> {
    const chosen = this.#chosen;
    this.#chosen = new Map();
    for (const key of unfinished) {
      if (!chosen.has(key)) continue;
      this.#chosen.set(key, chosen.get(key));
      chosen.delete(key);
    }
    if (!full) return chosen;
    const leftOut = new Set(quarantined.map(({ service }) => service));
    for (const key of this.#remembered.keys()) if (!chosen.has(key) && !leftOut.has(key)) chosen.set(key, undefined);
    return chosen;
  }

  /** As `take`; what is to be remembered is in the map afterwards, and nothing else. */
  takeInto(remembered: Map<ServiceKey, Value>, result: Success): void {
    remember(this.take(result), remembered);
  }

  /** The sync failed: nothing that it chose counts. */
  discard(): void {
    this.#chosen = new Map();
  }
}

/** Puts what `take` returned into the map. */
export function remember<Value>(
  taken: ReadonlyMap<ServiceKey, Value | undefined>,
  remembered: Map<ServiceKey, Value>,
): void {
  for (const [key, value] of taken) {
    if (value === undefined) remembered.delete(key);
    else remembered.set(key, value);
  }
}
