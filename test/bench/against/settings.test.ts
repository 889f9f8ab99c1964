/** What may be asked of a comparison of two builds, and what is said of the rest. */
import { describe, expect, test } from '@jest/globals';
import { againstSettings } from './settings.ts';

const workloads = ['cold', 'restart', 'change', 'memory', 'connect'];
const usually = {
  variant: ['nft', 'legacy'],
  services: 10_000,
  endpoints: 3,
  workload: workloads,
  rounds: 5,
  changes: 5,
  output: 'text',
};

const taken: readonly { readonly args: string; readonly settings: object }[] = [
  { args: '--against HEAD^', settings: { against: 'HEAD^' } },
  { args: '--against=main', settings: { against: 'main' } },
  { args: '--against main --variant legacy', settings: { against: 'main', variant: ['legacy'] } },
  {
    args: '--against main --workload memory,cold --workload change',
    settings: { against: 'main', workload: ['cold', 'change', 'memory'] },
  },
  {
    args: '--against main --services 1000 --endpoints 63 --rounds 1',
    settings: { against: 'main', services: 1000, endpoints: 63, rounds: 1 },
  },
  {
    args: '--against main --services 10 --max-ratio 1.03 -o json --changes 2',
    settings: { against: 'main', services: 10, maxRatio: 1.03, output: 'json', changes: 2 },
  },
];

const refused: readonly { readonly args: string; readonly names: string }[] = [
  { args: '', names: "'--against <rev>' not specified" },
  { args: '--against', names: "'--against <rev>' argument missing" },
  { args: '--against main other', names: 'too many arguments' },
  { args: '--against main --nodes 3', names: "unknown option '--nodes'" },
  { args: '--against main --variant ipvs', names: "'--variant <names>' argument 'ipvs' is invalid" },
  { args: '--against main --workload cold,,change', names: "'--workload <names>' argument 'cold,,change' is invalid" },
  { args: '--against main --workload', names: "'--workload <names>' argument missing" },
  { args: '--against main --rounds 0', names: "'--rounds <n>' argument '0' is invalid" },
  { args: '--against main --rounds 1.5', names: "'--rounds <n>' argument '1.5' is invalid" },
  { args: '--against main --services 1e4', names: "'--services <n>' argument '1e4' is invalid" },
  { args: '--against main --max-ratio 0', names: "'--max-ratio <ratio>' argument '0' is invalid" },
  { args: '--against main --max-ratio much', names: "'--max-ratio <ratio>' argument 'much' is invalid" },
  { args: '--against main --max-ratio Infinity', names: "'--max-ratio <ratio>' argument 'Infinity' is invalid" },
  { args: '--against main -o yaml', names: "'-o, --output <format>' argument 'yaml' is invalid" },
  { args: '--against main --services 60000 --endpoints 5', names: 'smaller --services or --endpoints' },
  { args: '--against main --services 65536 --endpoints 1', names: 'smaller --services or --endpoints' },
];

const words = (args: string): string[] => args.split(' ').filter(Boolean);

describe('againstSettings', () => {
  test.each(taken)('takes $args', ({ args, settings }) => {
    expect(againstSettings(words(args))).toEqual({ ...usually, ...settings });
  });

  test.each(refused)('refuses $args', ({ args, names }) => {
    expect(() => againstSettings(words(args))).toThrow(names);
  });
});
