/** Every packet scenario that this kernel can run: also those of SCTP. */
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import { sctpScenarios } from '../scenarios/sctpTable.ts';
import type { Scenario } from '../scenarios/serviceTable.ts';
import { scenarios, scenariosIn } from '../scenarios/serviceTable.ts';

export function allScenariosIn(mode: ProxyMode): readonly Scenario[] {
  return scenariosIn(mode, [...scenarios, ...sctpScenarios]);
}
