/** @module Mutants of what modes share: the sync, and how what is ours is recognized in the kernel. */
import type { Mutant } from './mutant.ts';

const engine = 'test/backend/engine/syncEngine.test.ts';
const registry = 'test/backend/registry.test.ts';

export const engineMutants: readonly Mutant[] = [
  {
    name: 'the search for refused Services ends nowhere',
    file: 'src/backend/engine/bisect.ts',
    find: 'hasAccepted && refused.length > 0 && isOverdue()',
    replace: 'hasAccepted && isOverdue()',
    test: engine,
    killer: 'goes on with the search in the next syncs when its time is over, and serves whom it knows',
  },
  {
    name: 'a Service that has changed stays out for what it was',
    file: 'src/backend/engine/syncEngine.ts',
    find: 'this.#refusals.forgetChanged((key) => state.ports(key))',
    replace: 'this.#refusals.forget([])',
    test: engine,
    killer: 'tries a Service that has changed in a full sync, whatever is known of it',
  },
  {
    name: 'a change is one block, however large it is',
    file: 'src/netfilter/xtables/transaction.ts',
    find: 'if (count < maxLines) continue;',
    replace: 'if (count < Infinity) continue;',
    test: 'test/backend/iptables/blocks.test.ts',
    killer: 'a change of many Services, which leaves what a full sync does',
  },

  {
    name: 'a Service may make any number of rules',
    file: 'src/backend/engine/syncWork.ts',
    find: 'if (objects <= maxObjectsPerService)',
    replace: 'if (objects <= Infinity)',
    test: engine,
    killer: 'leaves ["many/svc-00000 TooManyRules"] out of 200002 objects when it changes',
  },
  {
    name: 'what a sync that failed wrote is believed',
    file: 'src/backend/engine/syncEngine.ts',
    find: 'const before = this.#committed;\n    this.#committed = undefined;',
    replace: 'const before = this.#committed;',
    test: engine,
    killer: 'knows nothing of the kernel after a failure, and writes everything',
  },
  {
    name: 'a kernel that refuses all Services takes all of them away',
    file: 'src/backend/engine/syncEngine.ts',
    find: '|| leavesNone(verdict, keys, work)',
    replace: '',
    test: engine,
    killer: 'leaves nobody out where all are refused: it is not the Services that are wrong',
  },
  {
    name: 'what was written with other programs stays',
    file: 'src/backend/engine/syncEngine.ts',
    find: '[...this.#written].filter((each) => each !== programs)',
    replace: '[...this.#written].slice(0, 0)',
    test: engine,
    killer: 'takes away what was written with other programs, when everything stands',
  },
  {
    name: 'a Service with a token that must not reach a tool fails the sync',
    file: 'src/backend/engine/syncWork.ts',
    find: 'if (!(error instanceof InvalidRule)) throw error;',
    replace: 'throw error;',
    test: engine,
    killer: 'leaves out a Service whose objects must not reach a tool, without a trial',
  },
  {
    name: 'chains that ipvs mode alone has are not ours',
    file: 'src/backend/registry.ts',
    find: 'available.some((mode) => mode.ownership.isOwn(chain))',
    replace: 'iptablesMode.ownership.isOwn(chain)',
    test: registry,
    killer: 'knows every chain and jump of mode ipvs as ours, ipv4',
  },
  {
    name: 'a table with chains of any mode is served by iptables mode',
    file: 'src/backend/iptables/plan/owned.ts',
    find: "chains.has({ table: 'nat', name: nodePorts })",
    replace: 'chains.size > 0',
    test: registry,
    killer: 'sees in the tables that mode ipvs serves, and no other, ipv4',
  },
  {
    name: 'a comment of one word is expected in quotes',
    file: 'src/netfilter/xtables/rule.ts',
    find: '(?<=--comment )"([A-Za-z0-9_-]+)"/, \'$1\')',
    replace: '(?<=--comment )"([A-Za-z0-9_-]+)"/, \'$&\')',
    test: 'test/netfilter/xtables/wordings.test.ts',
    killer: 'words any rule as iptables-save does, nft ipv4',
  },
  {
    name: 'a tool that died counts as one that refused',
    file: 'src/system/command.ts',
    find: "if (signal !== undefined) return 'Killed';",
    replace: '',
    test: 'test/netfilter/errors.test.ts',
    killer: 'of a tool that ended by a crash: false',
  },
  {
    name: 'a tool that died is taken for a kernel that lacks a module',
    file: 'src/backend/ipvs/apply/preflight.ts',
    find: 'if (isToolFailure(error)) return false;',
    replace: "if (isToolFailure(error) || tool !== '') return false;",
    test: 'test/backend/dyingTools.test.ts',
    killer: 'ipset is not taken for a module that the kernel lacks',
  },
];
