/**
 * @module Writes Services, each with an annotation of a given size; then one whose external IP is not allowed, so that
 * an event says when an operator has read as far. Another round changes all of them.
 *
 * node test/faults/writeServices.ts KUBECONFIG COUNT ANNOTATION-BYTES ROUND
 */
import { createKubeClient } from '../../src/kube/client.ts';
import { loadKubeConfig } from '../../src/kube/kubeConfig.ts';
import { lastService } from './annotatedServices.ts';

const concurrentWrites = 4;
const [kubeconfig = '', count = '', annotationBytes = '', round = ''] = process.argv.slice(2);
const client = createKubeClient(loadKubeConfig({ kubeconfig }));
const names = Array.from({ length: Number(count) }, (_, index) => `service-${String(index).padStart(5, '0')}`);
/** As people's tools leave it: JSON in JSON, whose quotation marks are escaped once more on the wire. */
const notes = '{"name":"a note of a tool"},'.repeat(Math.ceil(Number(annotationBytes) / 28));

function annotatedService(name: string): object {
  const annotations = { 'example.com/notes': notes.slice(0, Number(annotationBytes)) };
  const metadata = { name, labels: { round }, annotations };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ port: 80 }] } };
}

async function write(service: object, name: string): Promise<void> {
  await client.send('PATCH', `/api/v1/namespaces/default/services/${name}`, {
    contentType: 'application/apply-patch+yaml',
    query: { fieldManager: 'test', force: true },
    body: service,
  });
}

async function writeRest(): Promise<void> {
  for (let name = names.pop(); name !== undefined; name = names.pop()) await write(annotatedService(name), name);
}

await Promise.all(Array.from({ length: concurrentWrites }, writeRest));
await write(lastService(Number(round)), 'the-last');
await client.close();
