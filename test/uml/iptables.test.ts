import { describePackets } from './packetTests.ts';
import { iptablesScenarios } from './scenarios.ts';

// What the machine's own kernel has shown already, in its legacy form: so a row that fails in another mode is that
// mode's fault.
describePackets({ title: 'mode iptables', args: ['iptables'], scenarios: iptablesScenarios() });
