/**
 * The Go modules beside this file that programs of tests are built from.
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of every go command: static programs, which run in any image and mount namespace; no go.work of the surroundings. */
export const goEnvironment = {
  CGO_ENABLED: '0',
  GOWORK: 'off',
  // The Go that a go.mod asks for is fetched for that one command, whatever the machine's own setting is.
  GOTOOLCHAIN: 'auto',
} as const;

export function goFolder(module: string): string {
  return join(import.meta.dirname, 'go', module);
}

/** The version that the go.mod in a folder asks for, as in `v1.37.2`. */
export function requiredVersion(folder: string, module: string): string {
  const text = readFileSync(join(folder, 'go.mod'), 'utf8');
  const found = text.split('\n').map((line) =>
    line
      .replace(/^require /, '')
      .trim()
      .split(' '),
  );
  const version = found.find(([path]) => path === module)?.[1];
  if (version === undefined) throw new Error(`go.mod in ${folder} does not require ${module}`);
  return version;
}
