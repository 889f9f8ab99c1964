import { describePackets } from './packetTests.ts';

/** What the machine's own kernel has shown already, in its legacy form: so a row that fails in another mode is that mode's fault. */
describePackets('iptables');
