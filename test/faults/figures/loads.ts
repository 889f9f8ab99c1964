/** @module The loads that `npm run faults` knows: a further one has a file here and a line below. */
import { annotations } from './annotations.ts';
import { bigService } from './bigService.ts';
import type { Load } from './figures.ts';
import { idleConnections } from './idleConnections.ts';
import { refused } from './refused.ts';

export const loads: readonly Load[] = [annotations, idleConnections, bigService, refused];
