/** Runs inside the kernel under test: every feature of features.ts. Prints a line of JSON for each. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { type FeatureReport, features, prelude } from './features.ts';
import { deviations } from './kernelConfiguration.ts';
import { fragment } from './kernelFiles.ts';

function print(report: FeatureReport): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

for (const { name, script } of features) {
  // /sys shows the devices of the namespace in which it was mounted.
  const whole = `mount -t sysfs sys /sys${prelude}${script}`;
  const failure = await promisify(execFile)('unshare', ['--net', '--mount', 'sh', '-exc', whole]).then(
    () => undefined,
    ({ stderr }: { readonly stderr: string }) => stderr,
  );
  print({ feature: name, ...(failure !== undefined && { failure }) });
}

const configuration = gunzipSync(await readFile('/proc/config.gz')).toString();
const found = deviations(await readFile(fragment, 'utf8'), configuration);
print({ feature: 'configuration', ...(found.length > 0 && { failure: found.join('\n') }) });
