/**
 * Keeps the copy of the configuration in force on the node's disk, so that it outlives the agent and the API server.
 */
import type { Logger } from '../observability/logger.ts';
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

  /** What an agent before this one has saved; undefined where there is none, or none that can be used. */
  async load(): Promise<DesiredConfig | undefined> {
    try {
      this.#saved = await loadSavedConfig(this.#stateDirectory);
    } catch (error) {
      this.#logger.error('the saved configuration cannot be used', { directory: this.#stateDirectory, error });
    }
    return this.#saved;
  }

  /** Saves what a NodeProxy brought, once; what was not brought by one is saved already or built in. Never throws. */
  save(inForce: DesiredConfig): void {
    if (inForce.source !== 'NodeProxy' || inForce === this.#saved) return;
    this.#saved = inForce;
    this.#saving = this.#saving
      .then(() => saveConfig(this.#stateDirectory, inForce))
      .catch((error: unknown) => this.#logger.error('the configuration in force could not be saved', { error }));
  }

  /** Resolves when what was to be saved is. */
  async saved(): Promise<void> {
    await this.#saving;
  }
}
