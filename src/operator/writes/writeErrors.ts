/**
 * What went wrong in the writes of one reconciliation. A refused write concerns its own object alone: the others are
 * written all the same.
 */
import { isConflict, isOverloaded, isUnauthorized, isUnreachable } from '../../kube/apiError.ts';
import { NotLeader } from '../../kube/leaderElection.ts';

/** Of one reconciliation. */
export class WriteErrors {
  readonly #refusals: unknown[] = [];
  #conflict: unknown;

  /** All errors but conflicts, in order. */
  get refusals(): readonly unknown[] {
    return this.#refusals;
  }

  /** Runs a write, and keeps its error. Throws those after which no other write can succeed, or should be tried. */
  async collect(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (endsAllWrites(error)) throw error;
      if (isConflict(error)) this.#conflict ??= error;
      else this.#refusals.push(error);
    }
  }

  /** Throws the first conflict, if there was one: everything is to be decided anew. */
  throwConflict(): void {
    if (this.#conflict !== undefined) throw this.#conflict;
  }
}

/** The API server is away or overloaded, does not know who asks, or another operator leads. */
function endsAllWrites(error: unknown): boolean {
  return isUnreachable(error) || isUnauthorized(error) || isOverloaded(error) || error instanceof NotLeader;
}
