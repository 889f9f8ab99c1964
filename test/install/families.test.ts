/** What is installed serves in every IP family that the cluster has. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

const config = path.resolve(import.meta.dirname, '../../config');
const files = readdirSync(config, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.yaml'));
const textOf = (file: string): string => readFileSync(path.join(config, file), 'utf8');

describe('manifests', () => {
  test.each(files)('%s names no address of one family', (file) => {
    expect(textOf(file)).not.toMatch(/\b0\.0\.0\.0\b|\b127\.0\.0\.1\b|::/);
  });

  const services = files
    .flatMap((file) => parseAllDocuments(textOf(file)).map((document) => document.toJS() as unknown))
    .filter((object) => (object as { kind?: string } | null)?.kind === 'Service');

  test('Services are of both families where the cluster has both', () => {
    expect(services).toEqual([
      expect.objectContaining({ spec: expect.objectContaining({ ipFamilyPolicy: 'PreferDualStack' }) as object }),
    ]);
  });
});
