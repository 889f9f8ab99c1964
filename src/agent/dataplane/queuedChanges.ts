/**
 * The Services whose rules may be wrong, until a run has brought them into the kernel.
 */
import type { ServiceKey } from '../../model/service.ts';
import type { ServiceChange } from '../watch/store.ts';

interface Trigger {
  readonly service: ServiceKey;
  /** In ms since the epoch. */
  readonly time: number;
}

/** What a run is to bring into the kernel. */
export interface TakenChanges {
  readonly services: ReadonlySet<ServiceKey> | 'all';
  readonly triggers: readonly Trigger[];
}

/** Changes of one run whose latency is measured; more would not change the histogram. */
const maxTriggers = 1000;

export class QueuedChanges {
  #services = new Set<ServiceKey>();
  #triggers: Trigger[] = [];
  /** Those of which the last run wrote a part. */
  #unfinished: ReadonlySet<ServiceKey> = new Set();
  /** Of what is being written of them. */
  #unfinishedTriggers: readonly Trigger[] = [];

  get isEmpty(): boolean {
    return this.#services.size === 0 && this.#unfinished.size === 0;
  }

  /** Whether a run has to go on with a Service of which a part is written. */
  get isUnfinished(): boolean {
    return this.#unfinished.size > 0;
  }

  add({ service, triggerTime: time }: ServiceChange): void {
    this.#services.add(service);
    if (time !== undefined && this.#triggers.length < maxTriggers) this.#triggers.push({ service, time });
  }

  /**
   * For a run of all Services, or of those that changed and those that are unfinished. What an unfinished one changed
   * to meanwhile stays queued until it is written as it was; so it is complete at some time, however often it changes.
   */
  take(takesAll: boolean): TakenChanges {
    const unfinished = takesAll ? new Set<ServiceKey>() : this.#unfinished;
    const isPutOff = (service: ServiceKey): boolean => unfinished.has(service);
    const changed = [...this.#services].filter((service) => !isPutOff(service));
    const triggers = this.#triggers.filter(({ service }) => !isPutOff(service));
    const taken = [...this.#unfinishedTriggers, ...triggers];
    this.#services = new Set([...this.#services].filter(isPutOff));
    this.#triggers = this.#triggers.filter(({ service }) => isPutOff(service));
    this.#unfinished = new Set();
    this.#unfinishedTriggers = [];
    return { services: takesAll ? 'all' : new Set([...changed, ...unfinished]), triggers: taken };
  }

  /** The run succeeded, but for these Services. Returns the trigger times of what is in the kernel now. */
  succeeded({ triggers }: TakenChanges, unfinished: readonly ServiceKey[] = []): readonly number[] {
    this.#unfinished = new Set(unfinished);
    const isDone = ({ service }: Trigger): boolean => !this.#unfinished.has(service);
    this.#unfinishedTriggers = triggers.filter((trigger) => !isDone(trigger));
    return triggers.filter(isDone).map(({ time }) => time);
  }

  /** The run failed; one of all Services follows, so that their list is not needed. */
  failed({ triggers }: TakenChanges): void {
    this.#triggers = [...triggers, ...this.#triggers].slice(0, maxTriggers);
  }
}
