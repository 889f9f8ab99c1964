import type { OtherProxies } from '../../src/agent/dataplane/leftoversRemoval.ts';

/** Of a node on which there is no proxy beside this program. */
export const noOtherProxies: OtherProxies = { findRunning: () => Promise.resolve(undefined), leftovers: [] };
