import { describe, expect, test } from '@jest/globals';
import { ClaimedAddresses } from '../../src/agent/status/claimedAddresses.ts';
import { clusterIP, type ServiceManifest, stateOf } from '../support/serviceManifests.ts';
import { syncWith } from './syncWith.ts';

const config = { externalIPs: { allowedCIDRs: ['0.0.0.0/0', '::/0'] } };
const owner: ServiceManifest = { namespace: 'shop', name: 'owner', clusterIP: clusterIP(1) };
const guest: ServiceManifest = {
  namespace: 'shop',
  name: 'guest',
  clusterIP: clusterIP(2),
  spec: { externalIPs: Object.values(clusterIP(1)) },
};

describe('ClaimedAddresses', () => {
  test('names the Service that is not served at an address, and whose it is, once the rules stand', () => {
    const claimed = new ClaimedAddresses();
    const state = stateOf('ipv4', [owner, guest], config);
    syncWith(claimed, state, state.keys(), { hasFailed: true });
    expect(claimed.services()).toEqual([]);
    syncWith(claimed, state);
    expect(claimed.services()).toEqual([
      {
        service: 'shop/guest',
        reason: 'AddressClaimed',
        message:
          "not served at 10.96.0.1 port 80/TCP, which is shop/owner's; choose another address or port for one of the two",
      },
    ]);
  });

  test('forgets it when the owner is gone', () => {
    const claimed = new ClaimedAddresses();
    syncWith(claimed, stateOf('ipv4', [owner, guest], config));
    syncWith(claimed, stateOf('ipv4', [guest], config), ['shop/owner', 'shop/guest']);
    expect(claimed.services()).toEqual([]);
  });
});
