/**
 * The packet scenarios on the kernel under test as tests, a test for each row; one boot for all.
 */
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import type { ProxyMode } from '../../src/api/nodeConfig.ts';
import type { IPFamily } from '../../src/model/ipFamily.ts';
import { ipFamilies } from '../../src/model/ipFamily.ts';
import { describeWhere } from '../requirements.ts';
import { expectObservations } from '../scenarios/expectPackets.ts';
import type { PacketRow } from '../scenarios/serviceTable.ts';
import { allScenariosIn } from './scenarios.ts';
import { runInKernel } from './kernel.ts';
import type { Report, RowName } from './report.ts';

const timeoutMs = 240_000;

export function describePackets(mode: ProxyMode): void {
  describeWhere(['uml'], `${mode} on the kernel under test`, () => {
    const run = new Run();
    beforeAll(() => run.boot(mode), timeoutMs + 10_000);
    afterAll(() => {
      process.stdout.write(run.summary(mode));
    });

    test('boots and runs to the end', () => run.expectEnd());
    describe.each(ipFamilies)('%s', (family) => {
      describe.each(allScenariosIn(mode))('$name', (scenario) => {
        test.each(scenario.rows)('$name', (row) => run.expectRow([family, scenario.name, row.name], row));
      });
    });
  });
}

class Run {
  readonly #reports = new Map<string, Report>();
  readonly #passed: Record<IPFamily, number> = { ipv4: 0, ipv6: 0 };
  #release = '';
  #fault: Error | undefined;

  async boot(mode: ProxyMode): Promise<void> {
    const keep = (line: object): void => {
      const report = line as Report;
      this.#reports.set(JSON.stringify('row' in report ? report.row : report.scenario), report);
    };
    try {
      this.#release = await runInKernel({ program: 'packets.ts', args: [mode], timeoutMs, onLine: keep });
    } catch (error) {
      this.#fault = error as Error;
    }
  }

  expectEnd(): void {
    if (this.#fault !== undefined) throw this.#fault;
  }

  expectRow([family, scenario, name]: RowName, row: PacketRow): void {
    const report = this.#reports.get(JSON.stringify([family, scenario, name])) ?? this.#reports.get(JSON.stringify([family, scenario]));
    if (report === undefined) throw new Error('the kernel under test ended before this row');
    if ('failure' in report) throw new Error(report.failure);
    expectObservations(row, family as IPFamily, report.seen);
    this.#passed[family as IPFamily] += 1;
  }

  summary(mode: ProxyMode): string {
    const rows = allScenariosIn(mode).flatMap((scenario) => scenario.rows).length;
    const counts = ipFamilies.map((family) => `${family}: ${this.#passed[family]} of ${rows} rows`);
    return `mode ${mode} on Linux ${this.#release} (User Mode Linux): ${counts.join(', ')}\n`;
  }
}
