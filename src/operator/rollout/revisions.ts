/**
 * The history of a ProxyConfig: one ControllerRevision per node configuration, owned by the ProxyConfig, so that it
 * goes with it.
 */
import type { NodeConfig } from '../../api/nodeConfig.ts';
import type { ProxyConfig } from '../../api/generated/proxyConfig.ts';
import { apiVersion, proxyConfigLabel, proxyConfigResource, revisionLabel } from '../../api/resources.ts';
import type { SendOptions } from '../../kube/client.ts';
import type { ClusterView, KnownRevision } from '../watch/clusterView.ts';
import type { Target } from './resolve.ts';

/** Where the operator runs; also named in the agents' admission policy. */
export const operatorNamespace = 'proxyconfig-system';
/** Their collection on the API server. */
export const controllerRevisionsPath = `/apis/apps/v1/namespaces/${operatorNamespace}/controllerrevisions`;

/** One request, as data. */
export interface RevisionWrite {
  readonly name: string;
  readonly method: 'POST' | 'DELETE';
  readonly path: string;
  readonly options: SendOptions;
}

/** Those of one ProxyConfig, oldest first. */
export function historyOf({ metadata }: ProxyConfig, { revisions }: Pick<ClusterView, 'revisions'>): KnownRevision[] {
  return [...revisions.values()]
    .filter(({ owner }) => owner === metadata.uid)
    .sort((one, other) => one.number - other.number);
}

/** The configuration of one of its revisions; undefined where it is neither the present one nor in the history. */
export function nodeConfigOfRevision(
  target: Target,
  history: readonly KnownRevision[],
  revision: string,
): NodeConfig | undefined {
  return revision === target.revision
    ? target.nodeConfig
    : history.find((known) => known.revision === revision)?.nodeConfig;
}

/**
 * Creates the target's revision where it is missing, and deletes the oldest beyond revisionHistoryLimit, but none that
 * is in use.
 */
export function revisionWrites(
  target: Target,
  history: readonly KnownRevision[],
  inUse: readonly (string | undefined)[],
): RevisionWrite[] {
  const { config, revision } = target;
  const isRecorded = history.some((known) => known.revision === revision);
  const spare = history.filter((known) => known.revision !== revision && !inUse.includes(known.revision));
  const surplus = spare.slice(0, Math.max(0, spare.length - config.spec.revisionHistoryLimit));
  return [...(isRecorded ? [] : [creation(target, history)]), ...surplus.map(deletion)];
}

function creation({ config, revision, nodeConfig }: Target, history: readonly KnownRevision[]): RevisionWrite {
  const { name: configName, uid = '' } = config.metadata;
  // A ProxyConfig made anew under its name does not share the revisions of the one before, which are about to be
  // collected.
  const name = `${configName}-${revision}-${uid.slice(0, 8)}`;
  const owner = { apiVersion, kind: proxyConfigResource.kind, name: configName, uid };
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      namespace: operatorNamespace,
      labels: {
        'app.kubernetes.io/name': 'proxyconfig',
        [proxyConfigLabel]: configName,
        [revisionLabel]: revision,
      },
      ownerReferences: [{ ...owner, controller: true }],
    },
    revision: (history.at(-1)?.number ?? 0) + 1,
    data: nodeConfig,
  };
  return { name, method: 'POST', path: controllerRevisionsPath, options: { body } };
}

function deletion({ name }: KnownRevision): RevisionWrite {
  return { name, method: 'DELETE', path: `${controllerRevisionsPath}/${name}`, options: {} };
}
