/**
 * Keeps a copy of the configuration in force on the node's disk, for an agent that starts while the API server is away.
 */
import type { Logger } from '../../observability/logger.ts';
import { type DesiredConfig, loadSavedConfig, saveConfig } from './desiredConfig.ts';

export class SavedConfig {
  readonly #stateDirectory: string;
  readonly #logger: Logger;
  #saved: DesiredConfig | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(stateDirectory: string, logger: Logger) {
    this.#stateDirectory = stateDirectory;
    this.#logger = logger;
  }

  /**
   * What an agent before this one has saved; undefined where there is nothing, or nothing that can be used. Never
   * throws.
   */
  async load(): Promise<DesiredConfig | undefined> {
    try {
      this.#saved = await loadSavedConfig(this.#stateDirectory);
    } catch (error) {
      this.#logger.error('the saved configuration cannot be used', { directory: this.#stateDirectory, error });
    }
    return this.#saved;
  }

  /** Saves a configuration from a NodeProxy, once, in the background; ignores any other. Never throws. */
  save(inForce: DesiredConfig): void {
    if (inForce.source !== 'NodeProxy' || inForce === this.#saved) return;
    this.#saved = inForce;
    this.#saving = this.#saving
      .then(() => saveConfig(this.#stateDirectory, inForce))
      .catch((error: unknown) => this.#logger.error('the configuration in force could not be saved', { error }));
  }

  /** Resolves when no saving is under way. */
  async whenSaved(): Promise<void> {
    await this.#saving;
  }
}
