/**
 * The packet scenarios on the kernel under test as tests, a test for each row; one boot for all.
 */
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import type { IptablesVariant } from '../../src/netfilter/xtables/chain.ts';
import type { Requirement } from '../support/requirements.ts';
import { describeWhere } from '../support/requirements.ts';
import { expectObservations } from '../scenarios/expectPackets.ts';
import type { Observation } from '../scenarios/observe.ts';
import type { PacketRow, Scenario } from '../scenarios/serviceTable.ts';
import { runInKernel } from './kernel.ts';
import type { Report, RowName } from './report.ts';

const timeoutMs = 1_200_000;

export interface Subject {
  readonly title: string;
  /** Of packets.ts. */
  readonly args: readonly string[];
  /** What the program `iptables` is; nft without it. */
  readonly iptables?: IptablesVariant;
  readonly needs?: readonly Requirement[];
  readonly scenarios: readonly Scenario[];
}

export function describePackets({ title, args, iptables = 'nft', needs = [], scenarios }: Subject): void {
  describeWhere(['kernel', ...needs], `${title} on the kernel under test`, () => {
    const run = new Run();
    beforeAll(() => run.boot(args, iptables), timeoutMs + 10_000);
    afterAll(() => {
      const rows = scenarios.flatMap((scenario) => scenario.rows).length;
      process.stdout.write(`${title} ${run.summary(rows)}\n`);
    });

    test('boots and runs to the end', () => run.expectEnd());
    describe.each(ipFamilies)('%s', (family) => {
      describe.each(scenarios)('$name', (scenario) => {
        test.each(scenario.rows)('$name', (row) => run.expectRow([family, scenario.name, row.name], row));
      });
    });
  });
}

class Run {
  readonly #seen = new Map<string, readonly Observation[]>();
  readonly #failures = new Map<string, string>();
  readonly #passed: Record<IPFamily, number> = { ipv4: 0, ipv6: 0 };
  #release = '';
  #fault: Error | undefined;

  async boot(args: readonly string[], iptables: IptablesVariant): Promise<void> {
    try {
      this.#release = await runInKernel({
        program: 'packets.ts',
        args,
        iptables,
        timeoutMs,
        onLine: (line) => this.#keep(line as Report),
      });
    } catch (error) {
      this.#fault = error as Error;
    }
  }

  #keep(report: Report): void {
    if ('row' in report) this.#seen.set(JSON.stringify(report.row), report.seen);
    else for (const scenario of report.scenarios) this.#failures.set(scenario, report.failure);
  }

  expectEnd(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  expectRow([family, scenario, name]: RowName, row: PacketRow): void {
    const seen = this.#seen.get(JSON.stringify([family, scenario, name]));
    if (seen === undefined)
      throw new Error(this.#failures.get(scenario) ?? 'the kernel under test ended before this row');
    expectObservations(row, family as IPFamily, seen);
    this.#passed[family as IPFamily] += 1;
  }

  summary(rows: number): string {
    const counts = ipFamilies.map((family) => `${family}: ${this.#passed[family]} of ${rows} rows`);
    return `on Linux ${this.#release} (User Mode Linux): ${counts.join(', ')}`;
  }
}
