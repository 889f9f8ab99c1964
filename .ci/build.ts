/**
 * Bundles the program for the image: `dist/proxyconfig.js` parses arguments and loads one of the others, so that an
 * agent never reads the operator's code. What two of them share is in `dist/chunks`.
 *
 * `node .ci/build.ts` writes `dist/` as a whole or not at all, and prints what was made; exits 1 when the agent's part
 * holds a library that it must not.
 */
import { chmodSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** CommonJS libraries in an ES module still ask for Node's own modules with `require`. */
const requireForCommonJS =
  "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);";

/**
 * An agent on every node must not load these: the generated API client is 20 MB of source, and execa takes 6 MB of
 * memory where tools are run all the time (docs/adr/0012).
 */
export const notInAgent = [
  'node_modules/@kubernetes/',
  'node_modules/@dot-i/',
  'node_modules/gaxios/',
  'node_modules/execa/',
] as const;

/** `outdir` is relative to the repository. With `sourcemap`, files beside the same code say where it is from. */
export async function bundle(outdir: string, { sourcemap = false } = {}): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { proxyconfig: 'src/main.ts', agent: 'src/agent/runAgent.ts', operator: 'src/operator/operator.ts' },
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    platform: 'node',
    target: 'node24',
    format: 'esm',
    // Names stay, because stack traces are read; line breaks and dead code go.
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'linked',
    sourcemap: sourcemap && 'external',
    banner: { js: requireForCommonJS },
    metafile: true,
    logLevel: 'warning',
  });
  // Says that the files are ES modules, also where the directory stands alone in the image.
  writeFileSync(resolve(root, outdir, 'package.json'), '{"type":"module"}\n');
  chmodSync(resolve(root, outdir, 'proxyconfig.js'), 0o755);
  return metafile;
}

/** Bytes of one entry and all that it loads at once or later, and the source files they were made of. */
export function partOf(metafile: Metafile, entry: string): { bytes: number; inputs: string[] } {
  const output = Object.keys(metafile.outputs).find((path) => path.endsWith(`/${entry}.js`));
  if (!output) throw new Error(`the bundle has no ${entry}.js`);
  const reached = new Set([output]);
  for (const path of reached)
    for (const { path: imported, external } of metafile.outputs[path]?.imports ?? [])
      if (!external) reached.add(imported);
  const outputs = [...reached].flatMap((path) => metafile.outputs[path] ?? []);
  return {
    bytes: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    inputs: outputs.flatMap(({ inputs }) => Object.keys(inputs)),
  };
}

/** Source files in the agent's part that must not be there. */
export function forbiddenInAgent(metafile: Metafile): string[] {
  return partOf(metafile, 'agent').inputs.filter((input) => notInAgent.some((library) => input.startsWith(library)));
}

async function main(): Promise<void> {
  const unfinished = `dist.${process.pid}.unfinished`;
  try {
    const metafile = await bundle(unfinished);
    report(metafile);
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    renameSync(join(root, unfinished), join(root, 'dist'));
  } finally {
    rmSync(join(root, unfinished), { recursive: true, force: true });
  }
}

function report(metafile: Metafile): void {
  for (const entry of ['agent', 'operator', 'proxyconfig'])
    console.log(`dist/${entry}.js with what it loads: ${Math.round(partOf(metafile, entry).bytes / 1024)} kB`);
  const forbidden = forbiddenInAgent(metafile);
  if (forbidden.length > 0)
    throw new Error(`the agent's part holds ${forbidden.length} files that it must not, e.g. ${forbidden[0]}`);
}

if (import.meta.main) await main();
