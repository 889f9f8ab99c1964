/**
 * A list of one kind of objects, page by page. One page is under way at a time, and of each object only what `read`
 * makes of it is kept.
 */
import type { KubeClient, Query } from './client.ts';
import type { PageSize } from './pageSize.ts';
import type { ListPage, WatchedKind } from './watchedKind.ts';

/** A list of more pages is none: 1,000,000 objects of the default size, or 8 GB. */
const maxPages = 2000;
/** Pages in a row without an object that was not on one before; a server may leave some empty (it filters late). */
const maxIdlePages = 100;

/** What was made of an object; `key` is `namespace/name` or `name`. */
interface ReadObject {
  readonly key: string | undefined;
}

/** A page, with what was made of its items. */
export interface ReadPage<Read> extends ListPage {
  readonly items: readonly Read[];
}

export interface ListPagesOptions<Read> {
  readonly client: Pick<KubeClient, 'list'>;
  readonly path: string;
  readonly query: Query | undefined;
  readonly kind: WatchedKind;
  readonly pageSize: PageSize;
  /** Called for each object, also for those of pages that fail in the end. */
  readonly read: (object: unknown) => Read;
  /** The keys of all objects of the pages so far. */
  readonly seen: Set<string>;
  readonly signal: AbortSignal;
}

/** Throws an ApiError where a page cannot be had or is none of the kind's, and where pages do not end. */
export async function* listPages<Read extends ReadObject>(
  options: ListPagesOptions<Read>,
): AsyncGenerator<ReadPage<Read>> {
  const { seen, kind } = options;
  let [pages, newAt, token]: [number, number, string | undefined] = [0, 0, undefined];
  do {
    const page: ReadPage<Read> = await readPage(options, token);
    token = page.continueToken;
    pages += 1;
    const before = seen.size;
    for (const { key } of page.items) if (key !== undefined) seen.add(key);
    if (seen.size > before) newAt = pages;
    yield page;
    if (token !== undefined && (pages >= maxPages || pages - newAt >= maxIdlePages)) throw kind.endless(pages);
  } while (token !== undefined);
}

async function readPage<Read>(
  { client, path, query, kind, pageSize, read, signal }: ListPagesOptions<Read>,
  token: string | undefined,
): Promise<ReadPage<Read>> {
  const items: Read[] = [];
  const onItem = (item: unknown, bytes: number): void => {
    pageSize.observe(bytes);
    items.push(read(item));
  };
  try {
    const body = await client.list(path, { ...query, limit: pageSize.next(), continue: token }, { onItem, signal });
    return { ...kind.page(body), items };
  } catch (error) {
    pageSize.failed();
    throw error;
  }
}
