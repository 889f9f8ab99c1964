/** @module The product's decisions, each broken in one place, by area. */
import { agentMutants } from './agent.ts';
import { engineMutants } from './engine.ts';
import { iptablesMutants } from './iptables.ts';
import { ipvsMutants } from './ipvs.ts';
import { modelMutants } from './model.ts';
import type { Mutant } from './mutant.ts';
import { operatorMutants } from './operator.ts';

export const mutants: readonly Mutant[] = [
  ...modelMutants,
  ...engineMutants,
  ...iptablesMutants,
  ...ipvsMutants,
  ...agentMutants,
  ...operatorMutants,
];
