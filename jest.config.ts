import type { Config } from 'jest';

const config: Config = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } }],
  },
  reporters: ['default', '<rootDir>/test/reporter.ts'],
  // It ends what hangs, and costs nothing otherwise; a busy machine takes several times as long as a calm one.
  testTimeout: 120_000,
  // One more than a machine of two processors has: many suites wait for most of their time.
  maxWorkers: 3,
  testSequencer: '<rootDir>/test/sequencer.ts',
};

export default config;
