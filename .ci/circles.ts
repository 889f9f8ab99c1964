/**
 * Finds circles of imports between the files of a folder: files that cannot be read, tested or moved one without the
 * other. Type imports count, because a circle of types ties rooms together as one of values does; the linter's
 * `import/no-cycle` passes over them.
 *
 * `node .ci/circles.ts [FOLDER]` (default: src) prints each circle and their number; exit status 1 where there is one.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alg, Graph } from '@dagrejs/graphlib';
import { parseSync, Visitor } from 'oxc-parser';

/**
 * The circles among the TypeScript files below a folder, each as its files' paths relative to it, in the order of their
 * names. Throws where a file cannot be parsed.
 */
export function circlesIn(folder: string): string[][] {
  const graph = new Graph();
  for (const file of globSync('**/*.ts', { cwd: folder })) {
    for (const imported of importsOf(join(folder, file))) graph.setEdge(file, relative(folder, imported));
  }
  return alg.findCycles(graph).map((files) => files.toSorted());
}

/** Absolute paths of the files that a file names by a relative path, in any form of import or export. */
function importsOf(file: string): string[] {
  const { program, module, errors } = parseSync(file, readFileSync(file, 'utf8'));
  if (errors.length > 0) throw new Error(`${file}: ${errors[0]?.message}`);
  const sources = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? []),
    ),
  ];
  const addSource = ({ source }: { readonly source: { readonly type: string; readonly value?: unknown } }): void => {
    if (source.type === 'Literal') sources.push(String(source.value));
  };
  new Visitor({ ImportExpression: addSource, TSImportType: addSource }).visit(program);
  return sources.filter((source) => source.startsWith('.')).map((source) => join(dirname(file), source));
}

if (import.meta.main) {
  const circles = circlesIn(process.argv[2] ?? fileURLToPath(new URL('../src', import.meta.url)));
  for (const files of circles) console.error(`circle of imports: ${files.join(', ')}`);
  console.log(`${circles.length} circles of imports`);
  if (circles.length > 0) process.exitCode = 1;
}
