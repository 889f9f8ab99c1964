/**
 * Services that are not served at an address of theirs because it is another's (`model/addressClaims.ts`). The
 * NodeProxy names them beside those that are left out, and the operator writes an event on each.
 */
import type { QuarantinedService } from '../../backend/backend.ts';
import type { IPFamily } from '../../model/ipFamily.ts';
import type { ServiceKey } from '../../model/service.ts';
import type { ServicePort } from '../../model/servicePort.ts';
import { ChosenInSync } from '../dataplane/chosenInSync.ts';
import type { ObservedLoop, SyncListener } from '../dataplane/syncListener.ts';
import type { SyncRun } from '../dataplane/syncStatus.ts';

/** Of one IP family. */
class Claimed {
  /** Which address is whose, for a status, by Service. */
  readonly services = new Map<ServiceKey, string>();
  readonly chosen = new ChosenInSync<string>(this.services);
}

export class ClaimedAddresses implements SyncListener {
  readonly #claimed: { readonly [family in IPFamily]: Claimed } = { ipv4: new Claimed(), ipv6: new Claimed() };

  onServicePorts({ status: { family } }: ObservedLoop, key: ServiceKey, ports: readonly ServicePort[]): void {
    this.#claimed[family].chosen.note(key, lossOf(ports));
  }

  onSuccess({ status: { family } }: ObservedLoop, { result }: SyncRun): void {
    const { services, chosen } = this.#claimed[family];
    chosen.takeInto(services, result);
  }

  onFailure({ status: { family } }: ObservedLoop): void {
    this.#claimed[family].chosen.discard();
  }

  /** One entry a family for each Service. */
  services(): readonly QuarantinedService[] {
    return Object.values(this.#claimed).flatMap(({ services }) =>
      [...services].map(([service, loss]) => ({
        service,
        reason: 'AddressClaimed',
        message: `not served at ${loss}; choose another address or port for one of the two`,
      })),
    );
  }
}

/** The first address that is another's, with its port; undefined where none is. */
function lossOf(ports: readonly ServicePort[]): string | undefined {
  for (const { lostAddresses, port, protocol } of ports)
    for (const [address, owner] of lostAddresses) return `${address} port ${port}/${protocol}, which is ${owner}'s`;
  return undefined;
}
