/**
 * Runs suites of this repository with the image's tools: the same files, in another root.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { environment, inRoot, repository } from './toolsRoot.ts';

export interface TestOutcome {
  /** Below the repository. */
  readonly suite: string;
  readonly name: string;
  /** `passed`, `failed`, `pending`, or `todo`. */
  readonly status: string;
  readonly words: readonly string[];
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/**
 * What became of each test of these files whose name has one of these texts, or of all; tests that were not chosen are
 * left out. Throws where the run itself came to no end.
 */
export async function runSuites(
  root: string,
  files: readonly string[],
  names: readonly string[] = [],
): Promise<readonly TestOutcome[]> {
  const directory = await mkdtemp(join(tmpdir(), 'proxyconfig-suites-'));
  try {
    const output = join(directory, 'report.json');
    await runJest(root, [
      '--json',
      `--outputFile=${output}`,
      ...(names.length === 0 ? [] : [`--testNamePattern=${names.join('|')}`]),
      '--runTestsByPath',
      ...files,
    ]);
    return outcomesOf(JSON.parse(await readFile(output, 'utf8')) as Report, names);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** One suite after the other; ends with this process, however that ends. */
async function runJest(root: string, args: readonly string[]): Promise<void> {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  const jest = [
    process.execPath,
    ...flags,
    join(repository, 'node_modules/jest/bin/jest.js'),
    '--runInBand',
    '--forceExit',
    ...args,
  ];
  await execa('setpriv', ['--pdeathsig', 'KILL', ...inRoot(root), ...jest], {
    env: environment,
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'ignore',
  });
}

function outcomesOf({ testResults }: Report, names: readonly string[]): readonly TestOutcome[] {
  const isChosen = (name: string): boolean => names.length === 0 || names.some((each) => name.includes(each));
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const suite = name.slice(repository.length + 1);
    // A file that cannot be run has no tests, but a message.
    if (assertionResults.length === 0) return [{ suite, name: 'the file', status: 'failed', words: [message] }];
    return assertionResults
      .filter(({ fullName }) => isChosen(fullName))
      .map(({ fullName, status, failureMessages }) => ({ suite, name: fullName, status, words: failureMessages }));
  });
}
