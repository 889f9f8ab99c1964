/**
 * Keeps a copy of the configuration in force on the node's disk, for an agent that starts while the API server is away.
 *
 * It counts as saved when it is on the disk, and not before: a full disk, or a state directory that cannot be written,
 * is tried again with growing waits for as long as another configuration is saved than runs, and is told.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NodeConditionNow } from '../../api/nodeConditions.ts';
import type { Logger } from '../../observability/logger.ts';
import { type DesiredConfig, loadSavedConfig, saveConfig } from './desiredConfig.ts';

export interface SavedConfigOptions {
  readonly stateDirectory: string;
  readonly logger: Logger;
  /** `conditions` changed. */
  readonly onChange: () => void;
  /** Of the wait after the first failure, which doubles up to a minute; default 1000. */
  readonly retryMs?: number;
}

const maxRetryMs = 60_000;

export class SavedConfig {
  readonly #options: SavedConfigOptions;
  /** What the disk holds. */
  #saved: DesiredConfig | undefined;
  /** What it is to hold; undefined before the first. */
  #wanted: DesiredConfig | undefined;
  #saving: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #conditions: readonly NodeConditionNow[] = [];

  constructor(options: SavedConfigOptions) {
    this.#options = options;
  }

  /**
   * What an agent before this one has saved; undefined where there is nothing, or nothing that can be used. Never
   * throws.
   */
  async load(): Promise<DesiredConfig | undefined> {
    const { stateDirectory, logger } = this.#options;
    try {
      this.#saved = await loadSavedConfig(stateDirectory);
    } catch (error) {
      logger.error('the saved configuration cannot be used', { directory: stateDirectory, error });
    }
    return this.#saved;
  }

  /** `ConfigSaved` False while the configuration in force could not be saved. */
  conditions(): readonly NodeConditionNow[] {
    return this.#conditions;
  }

  /**
   * Saves the configuration in force in the background, until it is saved or another is in force; where it is saved
   * already, nothing is written. The built-in one is never saved. Never throws.
   */
  save(inForce: DesiredConfig): void {
    if (inForce.source === 'BuiltIn' || inForce === this.#wanted) return;
    this.#wanted = inForce;
    this.#failures = 0;
    this.#start();
  }

  /** Tries once more to save what is not, and resolves when no saving is under way. */
  async stop(): Promise<void> {
    this.#start();
    await this.#saving;
    clearTimeout(this.#retry);
  }

  #start(): void {
    clearTimeout(this.#retry);
    this.#saving = this.#saving.then(() => this.#saveWanted());
  }

  async #saveWanted(): Promise<void> {
    clearTimeout(this.#retry);
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    if (!isSame(wanted, this.#saved)) {
      try {
        await saveConfig(this.#options.stateDirectory, wanted);
        this.#saved = wanted;
      } catch (error) {
        this.#onFailure(wanted, error);
        return;
      }
    }
    if (wanted === this.#wanted) this.#setConditions([]);
  }

  #onFailure(wanted: DesiredConfig, error: unknown): void {
    const { logger, retryMs = 1000 } = this.#options;
    if (wanted !== this.#wanted) return;
    const retryInMs = Math.min(retryMs * 2 ** this.#failures, maxRetryMs);
    const fields = { revision: wanted.revision, retryInMs, error };
    if (this.#failures === 0) logger.error('the configuration in force could not be saved', fields);
    else logger.debug('the configuration in force could not be saved', fields);
    this.#failures += 1;
    this.#retry = setTimeout(() => this.#start(), retryInMs);
    this.#setConditions([notSaved(wanted, this.#saved, error)]);
  }

  #setConditions(conditions: readonly NodeConditionNow[]): void {
    if (isDeepStrictEqual(conditions, this.#conditions)) return;
    this.#conditions = conditions;
    this.#options.onChange();
  }
}

function isSame(one: DesiredConfig, other: DesiredConfig | undefined): boolean {
  return one.revision === other?.revision && isDeepStrictEqual(one.config, other.config);
}

/** Cut, so that the message has at most 256 bytes. */
function named({ revision }: DesiredConfig): string {
  return `revision ${revision.slice(0, 16)}`;
}

function notSaved(wanted: DesiredConfig, saved: DesiredConfig | undefined, error: unknown): NodeConditionNow {
  const code = (error as Partial<NodeJS.ErrnoException>).code ?? 'see the agent log';
  const instead = saved === undefined ? 'the built-in defaults' : named(saved);
  return {
    type: 'ConfigSaved',
    status: 'False',
    reason: 'SaveFailed',
    message: `The node runs ${named(wanted)}, which could not be saved on its disk (${code}): started without the API server it would run ${instead}. Make room in the agent's state directory, or repair it.`,
  };
}
