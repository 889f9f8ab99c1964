import { describeInstallation } from './installation.ts';

describeInstallation('dual');
