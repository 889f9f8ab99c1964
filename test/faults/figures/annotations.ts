/** Peak memory while 1,000 Services have nearly as many annotations as the API server takes. */
import { progressReporter } from '../../cluster/progress.ts';
import { peakMemoryWith, programs } from '../annotatedServices.ts';
import type { Figures, Load } from './figures.ts';

const count = 1000;
const annotationBytes = 250_000;

export const annotations: Load = {
  name: 'annotations',
  description: `two operators and an agent with ${count} Services of ${annotationBytes} B of annotations each`,
  measure,
};

async function measure(isLoaded: boolean): Promise<Figures> {
  const progress = progressReporter();
  const { listed, watched } = await peakMemoryWith({
    count,
    annotationBytes: isLoaded ? annotationBytes : 0,
    progress: (text) => progress.line(text),
  });
  return Object.fromEntries(
    programs.flatMap((program) => [
      [`${program}, peak until all is listed`, `${listed[program]} MiB`],
      [`${program}, peak after all was changed`, `${watched[program]} MiB`],
    ]),
  );
}
