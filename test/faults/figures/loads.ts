/** @module The loads that `npm run faults` knows: a further one has a file here and a line below. */
import { annotations } from './annotations.ts';
import type { Load } from './figures.ts';
import { idleConnections } from './idleConnections.ts';

export const loads: readonly Load[] = [annotations, idleConnections];
