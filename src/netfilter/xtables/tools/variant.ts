/**
 * Which of the kernel's two iptables a node uses. Rules in both at once are applied one after the other, so the choice
 * must be that of kubelet and the CNI plugin.
 */
import type { IPFamily } from '../../../model/ipFamily.ts';
import type { ToolHost } from '../../../system/command.ts';
import { isToolFailure, runTool, SyncError, toolMissing } from '../../errors.ts';
import type { IptablesVariant } from '../chain.ts';
import type { Ownership } from '../ownership.ts';
import type { TablesView } from '../tables.ts';
import { findIptables, type Iptables } from './iptables.ts';
import { readTables } from './readTables.ts';

/** Auto is the variant that the node uses already. */
export type VariantChoice = 'Auto' | 'Nft' | 'Legacy';

/** The programs of iptables on one node for one IP family, and what they are to know. */
export interface XtablesNode {
  readonly family: IPFamily;
  readonly host: ToolHost;
  readonly ownership: Ownership;
}

export interface VariantSurvey {
  readonly view: {
    readonly hasKubeletMark: boolean;
    /** Everybody's. */
    readonly rules: number;
  };
}

/**
 * The variant that the node uses; undefined where there is none to choose from.
 *
 * As the wrapper in kube-proxy's image decides: kubelet's mark, then the greater number of rules, then the first, which
 * is nft.
 */
export function preferVariant<Survey extends VariantSurvey>(surveys: readonly Survey[]): Survey | undefined {
  const marked = surveys.find(({ view }) => view.hasKubeletMark);
  const maxRules = Math.max(...surveys.map(({ view }) => view.rules));
  return marked ?? surveys.find(({ view }) => view.rules === maxRules);
}

/** Every variant that is installed here, nft first. Throws a SyncError. */
async function installedVariants({ family, host }: XtablesNode): Promise<readonly Iptables[]> {
  return runTool('iptables', async () => {
    const named = [await findIptables(family, 'nft', host), await findIptables(family, 'legacy', host)].filter(
      (each) => each !== undefined,
    );
    return named.length > 0
      ? named
      : [await findIptables(family, 'default', host)].filter((each) => each !== undefined);
  });
}

export interface VariantView {
  readonly iptables: Iptables;
  readonly view: TablesView;
}

/**
 * Every variant but these with what it holds. One that this process may not read is left out if another can be: it
 * cannot have written there either. Throws a SyncError where none can be read, and where the tool of one came to no end,
 * or one holds a table that cannot be read: there it may have written.
 */
export async function readVariants(
  node: XtablesNode,
  but: ReadonlySet<IptablesVariant> = new Set(),
): Promise<readonly VariantView[]> {
  const read: VariantView[] = [];
  let failure: unknown;
  for (const iptables of await installedVariants(node)) {
    if (but.has(iptables.variant)) continue;
    try {
      read.push({ iptables, view: await readTables(iptables, node.ownership) });
    } catch (error) {
      if (!isToolFailure(error)) throw error;
      failure ??= error;
    }
  }
  if (read.length === 0 && but.size === 0 && failure !== undefined) throw failure;
  return read;
}

/** The variant of that choice. Throws a SyncError when it is not here. */
export async function selectIptables(node: XtablesNode, choice: VariantChoice): Promise<Iptables> {
  const { family, host } = node;
  const name = family === 'ipv4' ? 'iptables' : 'ip6tables';
  if (choice === 'Auto') {
    const used = preferVariant(await readVariants(node));
    if (used !== undefined) return used.iptables;
    throw toolMissing(`${name}-restore and ${name}-save are`, 'iptables');
  }
  const variant = choice === 'Nft' ? 'nft' : 'legacy';
  const chosen = await runTool(
    'iptables',
    async () => (await findIptables(family, variant, host)) ?? findIptables(family, 'default', host),
  );
  if (chosen?.variant === variant) return chosen;
  throw new SyncError(
    'VariantMissing',
    `this node has no ${choice} variant of ${name}; set iptables.backend to Auto or install it`,
  );
}

/** Selects once for each choice: a node does not change its variant while it runs. One variant is always one object. */
export class VariantSelector {
  readonly #node: XtablesNode;
  readonly #selected = new Map<VariantChoice, Iptables>();
  /** What runs beside these variants, or did. */
  #beside: { readonly variants: ReadonlySet<IptablesVariant>; readonly ended: Promise<void> } = {
    variants: new Set(),
    ended: Promise.resolve(),
  };

  constructor(node: XtablesNode) {
    this.#node = node;
  }

  /** Those that were selected for some choice. */
  get selected(): ReadonlySet<IptablesVariant> {
    return new Set([...this.#selected.values()].map(({ variant }) => variant));
  }

  /** Whether rules are in nf_tables. `applied`: what was written with last, where that is known. */
  isNft(applied?: Iptables): boolean {
    return applied === undefined ? this.selected.has('nft') : applied.variant === 'nft';
  }

  /** Runs what changes any variant but those selected by now: whoever selects another gets it when that has ended. */
  besideSelected<T>(action: (selected: ReadonlySet<IptablesVariant>) => Promise<T>): Promise<T> {
    const variants = this.selected;
    const result = action(variants);
    const ended = Promise.allSettled([result]).then(() => undefined);
    this.#beside = { variants, ended };
    return result;
  }

  /** Throws a SyncError. */
  async select(choice: VariantChoice = 'Auto'): Promise<Iptables> {
    const known = this.#selected.get(choice);
    return known === undefined ? this.reselect(choice) : this.#whenFree(known);
  }

  /**
   * Selects anew; gives the same object again where the variant is the same, whichever choice it was selected for: what
   * was written with another object is removed. Throws a SyncError.
   */
  async reselect(choice: VariantChoice = 'Auto'): Promise<Iptables> {
    const found = await selectIptables(this.#node, choice);
    const iptables = [...this.#selected.values()].find(({ variant }) => variant === found.variant) ?? found;
    this.#selected.set(choice, iptables);
    return this.#whenFree(iptables);
  }

  async #whenFree(iptables: Iptables): Promise<Iptables> {
    const { variants, ended } = this.#beside;
    if (!variants.has(iptables.variant)) await ended;
    return iptables;
  }
}
