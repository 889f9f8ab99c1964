/** What the program of the mode changes prints, a line of JSON for each of these checks. */
export const checks = [
  'a node that never served ends clean',
  'iptables to ipvs: nothing is left of iptables mode',
  'ipvs to iptables: connections drain with weight 0, beside an agent that is killed and starts again',
  'no connection failed and none broke, from iptables to ipvs and back',
  'ipvs to iptables: nothing is left of ipvs mode',
  'a change to ipvs whose check fails is rolled back, and serves all the while',
  'a change to ipvs whose probe fails is rolled back, and serves all the while',
  'an agent that is cut off in a change ends it when it starts again',
  'a change to iptables whose check fails is rolled back, and serves all the while',
  'flows that outlast the drain are cut: UDP is served anew, TCP is reset or refused',
] as const;

export type Check = (typeof checks)[number];

export interface CheckReport {
  readonly check: Check;
  /** None when all is as it must be. */
  readonly problems: readonly string[];
  /** Figures for the test's output. */
  readonly note?: string;
}
