/** @module Mutants of what the agent knows of the cluster, and when it writes. */
import type { Mutant } from './mutant.ts';

const reflector = 'test/kube/reflector.test.ts';

export const agentMutants: readonly Mutant[] = [
  {
    name: 'a list without an object of ours deletes nothing',
    file: 'src/kube/reflector.ts',
    find: 'if (!seen.has(key)) this.#drop(key);',
    replace: 'if (seen.has(key) && !seen.has(key)) this.#drop(key);',
    test: reflector,
    killer: 'a DELETE that was missed is found by the list after a 410',
  },
  {
    name: 'a new object of the same name is taken for the old one',
    file: 'src/kube/reflector.ts',
    find: 'if (known !== undefined && uidOf(known) !== uid) this.#drop(key);',
    replace: '',
    test: reflector,
    killer: 'an object made anew under the same name is a delete and an add',
  },
  {
    name: '410 Gone does not lead to a new list',
    file: 'src/kube/reflector.ts',
    find: 'isGone(error) || error instanceof HistoryWentBack) this',
    replace: 'error instanceof HistoryWentBack) this',
    test: reflector,
    killer: 'a DELETE that was missed is found by the list after a 410',
  },
  {
    name: 'rules are written before everything is known',
    file: 'src/agent/agent.ts',
    find: '    await this.#watch.synced;\n',
    replace: '',
    test: 'test/agent/start.test.ts',
    killer: 'runAgent writes nothing before',
  },
  {
    name: 'a refused configuration takes the one in force away',
    file: 'src/agent/config/configController.ts',
    find: 'if (dataplane.status.accepted === undefined) await this.#fallBack();',
    replace: 'await this.#accept(builtIn());',
    test: 'test/agent/configController.test.ts',
    killer: 'keeps the configuration before, and follows changes, when a later mode is refused',
  },
  {
    name: 'rules that are not there are written again at once, for ever',
    file: 'src/agent/dataplane/syncLoop.ts',
    find: "this.#hasSeenFlush && error?.reason === 'VerificationFailed' && failures <= maxImmediateRetries",
    replace: "error?.reason === 'VerificationFailed'",
    test: 'test/agent/syncLoop.test.ts',
    killer: 'pauses in the end where another program flushes all the time',
  },
  {
    name: 'a new mode is drained when its first run succeeds',
    file: 'src/agent/dataplane/dataplane.ts',
    find: 'if (this.#modes.syncLoops?.loop(loop.status.family) === loop) this',
    replace: 'this',
    test: 'test/agent/modeChange.test.ts',
    killer: 'does not take the new mode for one that no longer serves',
  },
  {
    name: 'what a failed sync chose counts',
    file: 'src/agent/dataplane/chosenInSync.ts',
    find: '  discard(): void {\n    this.#chosen = new Map();',
    replace: '  discard(): void {',
    test: 'test/agent/chosenInSync.test.ts',
    killer: 'loses what a failed sync chose',
  },
  {
    name: 'a Service that is left out is forgotten',
    file: 'src/agent/dataplane/chosenInSync.ts',
    find: ' && !leftOut.has(key)',
    replace: '',
    test: 'test/agent/chosenInSync.test.ts',
    killer: 'keeps what it remembers of a Service that a full sync left out',
  },
  {
    name: 'endpoints are chosen twice in a full sync',
    file: 'src/backend/iptables/plan/plan.ts',
    find: 'asked?.get(key) ?? state.ports(key)',
    replace: 'state.ports(key)',
    test: 'test/agent/chooseOnce.test.ts',
    killer: 'chooses the endpoints of 1000 Services once a port in a full sync of ipv4',
  },
];
