/**
 * Lists and watches Services and EndpointSlices and does nothing else: as a program
 *   node watch.ts KUBECONFIG
 *
 * Prints `listed` when all are there, and then a line for each EndpointSlice that changes: its name and its last
 * address. Each line ends with the time, nanoseconds of CLOCK_MONOTONIC.
 */
import { createKubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { createReflector, type ReflectorHandler } from '../../src/kube/reflector.ts';
import { namespace } from './objects.ts';

interface Slice {
  readonly metadata: { readonly name: string };
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[];
}

const client = createKubeClient(loadKubeConfig({ kubeconfig: process.argv[2] ?? '' }));
const say = (...words: readonly string[]): boolean =>
  process.stdout.write(`${[...words, process.hrtime.bigint()].join(' ')}\n`);
const ignore = (): void => undefined;

function follow<Item>(path: string, decode: (object: unknown) => Item, onUpdate: ReflectorHandler<Item>['onUpdate']) {
  const handler = { onAdd: ignore, onUpdate, onDelete: ignore };
  const reflector = createReflector({ client, path, decode, handler });
  reflector.start();
  return reflector.synced;
}

await Promise.all([
  follow(`/api/v1/namespaces/${namespace}/services`, () => true, ignore),
  follow(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`,
    (object) => {
      const { metadata, endpoints } = object as Slice;
      return [metadata.name, endpoints?.at(-1)?.addresses[0] ?? ''];
    },
    (_id, words) => say(...words),
  ),
]);
say('listed');
