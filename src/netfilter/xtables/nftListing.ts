/**
 * Reads a table as `nft list table` shows it, where iptables-save shows nothing of it: iptables-nft takes a table for
 * another program's as soon as one rule in it is not iptables' (1.8.9), and goes on to write into it.
 *
 * What stands where can be read of it, but not what a rule says: nft does not word the matches of iptables.
 */
export interface ListedRule {
  readonly chain: string;
  /** Where it jumps or goes to; '' where it does not. */
  readonly to: string;
  /** Whether it is only for the first packet of a connection. */
  readonly onlyNew: boolean;
}

export interface ListingOptions {
  readonly onChain: (name: string) => void;
  readonly onRule: (rule: ListedRule) => void;
}

/** Takes the lines one by one. */
export class NftListingReader {
  readonly #options: ListingOptions;
  #chain: string | undefined;

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  read(line: string): void {
    const text = line.trim();
    if (this.#chain === undefined) this.#readOutside(text);
    else if (text === '}') this.#chain = undefined;
    else if (text !== '' && !text.startsWith('type ')) this.#options.onRule(ruleOf(this.#chain, text));
  }

  #readOutside(text: string): void {
    this.#chain = /^chain (\S+) \{$/.exec(text)?.[1];
    if (this.#chain !== undefined) this.#options.onChain(this.#chain);
  }
}

const nativeComment = / comment "[^"]*"/;
const verdict = /(?:^| )(?:jump|goto) (\S+)$/;
/** As nft words the match of iptables, with and without the libraries of iptables. */
const newOnly = /\bct state new\b|\bxt match "conntrack"/;

function ruleOf(chain: string, text: string): ListedRule {
  const rule = text.replace(nativeComment, '');
  return { chain, to: verdict.exec(rule)?.[1] ?? '', onlyNew: newOnly.test(rule) };
}
