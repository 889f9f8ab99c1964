import { describePackets } from './packetTests.ts';
import { ipvsScenarios } from './scenarios.ts';

for (const variant of ['nft', 'legacy'] as const) {
  describePackets({
    title: `mode ipvs, ${variant}`,
    args: ['ipvs', variant],
    iptables: variant,
    scenarios: ipvsScenarios(),
  });
}
