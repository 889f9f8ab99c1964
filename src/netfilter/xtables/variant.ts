/**
 * Which of the kernel's two iptables a node uses. Rules in both at once are applied one after the other, so the choice
 * must be that of kubelet and the CNI plugin.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import { runTool, SyncError, toolMissing } from '../errors.ts';
import { findIptables, type Iptables, type IptablesHost } from './iptables.ts';
import { readTables } from './readTables.ts';
import type { TablesView } from './tables.ts';

/** Which of the kernel's two packet filters. */
export type Variant = 'nft' | 'legacy';

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
async function installedVariants(family: IPFamily, host: IptablesHost): Promise<readonly Iptables[]> {
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
 * Every variant with what it holds. One that this process may not read is left out if another can be: it cannot have
 * written there either. Throws a SyncError where none can be read.
 */
export async function readVariants(family: IPFamily, host: IptablesHost): Promise<readonly VariantView[]> {
  const read: VariantView[] = [];
  let failure: unknown;
  for (const iptables of await installedVariants(family, host)) {
    try {
      read.push({ iptables, view: await readTables(iptables) });
    } catch (error) {
      failure ??= error;
    }
  }
  if (read.length === 0 && failure !== undefined) throw failure;
  return read;
}

/**
 * The variant that the configuration asks for, or with Auto the one that the node uses already. Throws a SyncError when
 * it is not here.
 */
export async function selectIptables(
  family: IPFamily,
  config: Pick<NodeConfig, 'iptables'>,
  host: IptablesHost,
): Promise<Iptables> {
  const choice = config.iptables?.backend ?? 'Auto';
  const name = family === 'ipv4' ? 'iptables' : 'ip6tables';
  if (choice === 'Auto') {
    const used = preferVariant(await readVariants(family, host));
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
