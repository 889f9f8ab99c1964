/** `npm run bench -- --against REV`: two builds of the product beside each other. */
import { allParts, type Part } from '../measures.ts';
import { type BenchTask, exitStatus, type Inside, type Outside } from '../options.ts';
import { compareBuilds } from './compareBuilds.ts';
import { asDocument, asTable, rowsAbove } from './report.ts';
import { checkOut, commitOf, removeCheckout } from './revision.ts';
import type { Workload } from './rows.ts';
import { againstCommand, type AgainstSettings, againstSettings } from './settings.ts';

/** Throws CommanderError for wrong usage. */
export function againstTask(args: readonly string[]): BenchTask {
  const settings = againstSettings(args);
  return {
    prepare: (outside) => prepare(settings, outside),
    run: (inside) => run(settings, inside),
    cleanUp: removeCheckout,
  };
}

async function prepare({ against }: AgainstSettings, outside: Outside): Promise<void> {
  const commit = await commitOf(against);
  if (commit === undefined) return againstCommand().error(`error: --against: git knows no commit '${against}' here`);
  await checkOut(commit, outside);
}

async function run(settings: AgainstSettings, inside: Inside): Promise<number> {
  const comparison = await compareBuilds({ ...settings, parts: partsOf(settings.workload) }, inside);
  console.log(
    settings.output === 'json'
      ? JSON.stringify(asDocument(comparison, settings), undefined, 2)
      : asTable(comparison, settings),
  );
  return rowsAbove(comparison, settings).length > 0 ? exitStatus.aboveMaxRatio : exitStatus.done;
}

/** Start and memory are measured with whatever else is. */
function partsOf(chosen: readonly Workload[]): readonly Part[] {
  return allParts.filter((part) => chosen.includes(part));
}
