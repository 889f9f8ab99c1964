/**
 * What may be left in the kernel beside what serves a node, and what takes it away.
 */
import { type ProxyMode, proxyModes } from '../../api/nodeConfig.ts';
import type { Backend, DrainRequest, DrainResult, Leftovers, Refusal } from '../../backend/backend.ts';
import { ipFamilies, type IPFamily } from '../../model/ipFamily.ts';

/** Makes the backend of a mode, or a Refusal for a mode that this program does not have. */
export type MakeBackend = (mode: ProxyMode, family: IPFamily) => Backend | Refusal;

/** A mode that does not serve, in one family. */
export interface OtherMode {
  readonly mode: ProxyMode;
  readonly family: IPFamily;
  readonly backend: Backend;
}

/** What serves the node. */
export interface Serving {
  readonly mode: ProxyMode;
  /** By family that is served, the backend that does. */
  readonly backends: ReadonlyMap<IPFamily, Backend>;
  /** Families that nothing is taken away of, also where none is served. */
  readonly wanted: readonly IPFamily[];
}

/** All modes but this one, in both families: also in one that the node does not have any more. */
export function otherModes(mode: ProxyMode, makeBackend: MakeBackend): readonly OtherMode[] {
  return proxyModes
    .filter((other) => other !== mode)
    .flatMap((other) =>
      ipFamilies.flatMap((family) => {
        const backend = makeBackend(other, family);
        return 'reason' in backend ? [] : [{ mode: other, family, backend }];
      }),
    );
}

/**
 * What this program takes away: of other modes, in both families; of any mode in the variants of iptables that do not
 * serve; and of the mode that serves in families that are not wanted.
 */
export function leftoversBeside(serving: Serving, makeBackend: MakeBackend): readonly Leftovers[] {
  return [
    ...otherModes(serving.mode, makeBackend).map(({ mode, family, backend }) => ({
      of: `mode ${mode}`,
      family,
      remove: async (request: DrainRequest) => (await backend.drainAndRemove?.(request)) ?? gone([]),
    })),
    ...[...serving.backends].map(([family, backend]) => ({
      of: 'a proxy in another variant of iptables',
      family,
      remove: async (request: DrainRequest) => gone((await backend.removeElsewhere?.(request)) ?? []),
    })),
    ...ipFamilies
      .filter((family) => !serving.wanted.includes(family))
      .map((family) => ({
        of: `mode ${serving.mode}`,
        family,
        remove: async (request: DrainRequest) => {
          const backend = makeBackend(serving.mode, family);
          return gone('reason' in backend ? [] : await backend.cleanup(request));
        },
      })),
  ];
}

function gone(removed: readonly string[]): DrainResult {
  return { removed, draining: 0 };
}
