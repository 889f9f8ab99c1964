import { describePackets } from './packetTests.ts';
import { iptablesScenarios } from './scenarios.ts';

// What the machine's own kernel has shown already: so a row that fails in another mode is that mode's fault.
for (const variant of ['nft', 'legacy'] as const) {
  describePackets({
    title: `mode iptables, ${variant}`,
    args: ['iptables', variant],
    iptables: variant,
    scenarios: iptablesScenarios(),
  });
}
