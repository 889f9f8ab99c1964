/** With FULL=1 also on the oldest Kubernetes that is supported, and on the one to come. */
import { furtherVersions } from '../cluster/kubernetesVersion.ts';
import { scaled } from '../support/scale.ts';
import { otherGround, usualGround } from './ground.ts';
import { describeInstallation } from './installation.ts';

describeInstallation(usualGround('dual'));
for (const version of scaled([], furtherVersions)) describeInstallation(await otherGround(version));
