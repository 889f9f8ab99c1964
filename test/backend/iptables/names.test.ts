import { describe, expect, test } from '@jest/globals';
import { isServiceChain, nameHash, servicePortChains } from '../../../src/backend/engine/serviceRules/chainNames.ts';

const vectors = [
  { text: 'ns1/svc1:p80tcp', hash: 'XPGD46QRK7WJZT7O' },
  { text: 'ns1/svc1:p80tcp10.180.0.1:80', hash: 'SXIVWICOYRO3J4NJ' },
  { text: 'default/kubernetes:httpstcp', hash: 'NPX46M4PTMTKRN6Y' },
  { text: 'work/saythx-redistcp', hash: 'FWZO4IPCTY5IWGE6' },
  { text: 'work/saythx-redis:tcp', hash: 'SMQNAAUIAENDDGYQ' },
  { text: 'default/nginx-service-nodeport:tcp', hash: 'I64SNEMOLCWHJHS3' },
];

describe('names', () => {
  test.each(vectors)("kube-proxy's hash of $text", ({ text, hash }) => {
    expect(nameHash(text)).toBe(hash);
  });

  test('the chains of a port without a name have no colon in what is hashed', () => {
    const chains = servicePortChains({ namespace: 'work', serviceName: 'saythx-redis', portName: '', protocol: 'TCP' });
    expect(chains).toMatchObject({
      cluster: 'KUBE-SVC-FWZO4IPCTY5IWGE6',
      local: 'KUBE-SVL-FWZO4IPCTY5IWGE6',
      external: 'KUBE-EXT-FWZO4IPCTY5IWGE6',
      firewall: 'KUBE-FW-FWZO4IPCTY5IWGE6',
    });
  });

  test('an endpoint chain is named by the Service port and the endpoint', () => {
    const chains = servicePortChains({ namespace: 'ns1', serviceName: 'svc1', portName: 'p80', protocol: 'TCP' });
    expect(chains.endpoint({ address: '10.180.0.1', port: 80, isLocal: false })).toBe('KUBE-SEP-SXIVWICOYRO3J4NJ');
  });

  describe('whose chain is it?', () => {
    const rows = [
      { name: 'KUBE-SVC-FWZO4IPCTY5IWGE6', own: true },
      { name: 'KUBE-FW-FWZO4IPCTY5IWGE6', own: true },
      { name: 'KUBE-XLB-FWZO4IPCTY5IWGE6', own: true },
      { name: 'KUBE-FIREWALL', own: false },
      { name: 'KUBE-KUBELET-CANARY', own: false },
      { name: 'KUBE-SVC-short', own: false },
      { name: 'CNI-KUBE-SVC-FWZO4IPCTY5IWGE6', own: false },
    ];
    test.each(rows)('$name: $own', ({ name, own }) => {
      expect(isServiceChain(name)).toBe(own);
    });
  });
});
