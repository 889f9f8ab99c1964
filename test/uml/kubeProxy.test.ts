import { ensureBinaries, missingBinaries } from '../cluster/binaries.ts';
import { scaled } from '../support/scale.ts';
import { describePackets } from './packetTests.ts';
import { kubeProxyScenarios } from './scenarios.ts';

const isBuilt = missingBinaries(['kube-proxy']).length === 0;
const { 'kube-proxy': file } = isBuilt ? await ensureBinaries({ which: ['kube-proxy'] }) : { 'kube-proxy': '' };

const amount = scaled(0, 1) === 1 ? 'all' : 'few';

// So that a row says what kube-proxy does, and not what somebody remembers of it.
describePackets({
  title: 'the real kube-proxy in mode ipvs',
  needs: ['cluster'],
  args: ['kube-proxy', file, amount],
  scenarios: kubeProxyScenarios(amount),
});
