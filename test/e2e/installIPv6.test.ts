/** Without IPv4 but 127.0.0.1: control plane, kubelets, Pods, Services, probes and metrics. */
import { usualGround } from './ground.ts';
import { describeInstallation } from './installation.ts';

describeInstallation(usualGround('ipv6'));
