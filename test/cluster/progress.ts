/** Lines with the time since the start, for people: on standard error, and dimmed only where that is a terminal. */
export function progressReporter(output: NodeJS.WriteStream = process.stderr): { line: (text: string) => void } {
  const started = performance.now();
  const dim = (text: string): string =>
    output.isTTY && !process.env['NO_COLOR'] ? `\u001b[2m${text}\u001b[22m` : text;
  return {
    line: (text) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
      output.write(`${dim(`${seconds} s`)}  ${text}\n`);
    },
  };
}

/** Tells every so often how many lines a program has written, and for how many seconds, until the returned is called. */
export function reportLines(
  stream: NodeJS.ReadableStream,
  everyMs: number,
  report: (count: number, seconds: number) => void,
): () => void {
  const started = Date.now();
  let count = 0;
  stream.on('data', (chunk: Buffer | string) => {
    count += chunk.toString().split('\n').length - 1;
  });
  const timer = setInterval(() => report(count, Math.round((Date.now() - started) / 1000)), everyMs);
  return () => clearInterval(timer);
}
