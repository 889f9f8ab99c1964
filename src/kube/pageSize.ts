/**
 * How many objects the pages of a list are asked to have: so many that a page is a few MiB, whatever the objects are.
 * The API server makes a page as a whole before it sends it (before 1.33; KEP-5116), and ends what takes it too long.
 */

/** While it is not known how large the objects are; and after pages that failed, which may have had another reason. */
const cautiousSize = 20;
const pageBytes = 4 * 1024 * 1024;

export class PageSize {
  readonly #max: number;
  /** The same, or lower where a page of the list was not read to its end. */
  #bound: number;
  #objects = 0;
  #bytes = 0;

  /** Objects; a page has no more, however small they are. */
  constructor(max: number) {
    this.#max = max;
    this.#bound = max;
  }

  /** Of the next page, by the objects of the page before; of the first one of a list without. */
  next(): number {
    const fitting = this.#objects === 0 ? cautiousSize : Math.floor((pageBytes * this.#objects) / this.#bytes);
    this.#objects = 0;
    this.#bytes = 0;
    return Math.max(1, Math.min(fitting, this.#bound));
  }

  /** An object of the present page was read. */
  observe(bytes: number): void {
    this.#objects += 1;
    this.#bytes += bytes;
  }

  /** The present page has failed. Where that was in the middle of it, the pages of the next try are smaller. */
  failed(): void {
    if (this.#objects > 0) this.#bound = Math.max(Math.min(cautiousSize, this.#max), Math.floor(this.#bound / 2));
    this.#objects = 0;
  }

  /** The list is complete. */
  completed(): void {
    this.#bound = this.#max;
    this.#objects = 0;
  }
}
