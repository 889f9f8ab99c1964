import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';

describe('npm run generate', () => {
  test('the generated types and schemas are those of the CRDs', async () => {
    const { exitCode, stderr } = await execa('node', ['crds/generate.ts', '--check'], { reject: false });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});
