import { describePackets } from './packetTests.ts';
import { ipvsScenarios } from './scenarios.ts';

describePackets({ title: 'mode ipvs', args: ['ipvs'], scenarios: ipvsScenarios() });
