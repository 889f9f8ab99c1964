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
