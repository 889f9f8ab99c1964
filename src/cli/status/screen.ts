/**
 * The terminal's side of `proxyconfig status`: styles become escape sequences, and --watch has a screen that is drawn
 * anew in place.
 */
import { styleText } from 'node:util';
import { printable } from '../../observability/printable.ts';
import type { Line } from './lines.ts';

type Terminal = Pick<NodeJS.WriteStream, 'write' | 'rows' | 'columns' | 'on' | 'off'>;

/**
 * One line as text, with escape sequences only with `color`: its own texts were written by nodes and people, and hold
 * none.
 */
export function styledText(line: Line, color: boolean): string {
  return line
    .map(({ text, style }) => ({ text: printable(text), style }))
    .map(({ text, style }) =>
      color && style !== undefined && text !== '' ? styleText(style, text, { validateStream: false }) : text,
    )
    .join('');
}

/** Of a terminal that does not know its size, such as a serial line, 80 columns by 24 rows. */
export function sizeOf({ rows, columns }: Pick<Terminal, 'rows' | 'columns'>): { rows: number; columns: number } {
  return { rows: rows || 24, columns: columns || 80 };
}

/** What --watch draws on. */
export interface Screen {
  /** Replaces all that is shown. */
  draw(lines: readonly Line[]): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

const enter = '\u001B[?1049h\u001B[?25l';
const leave = '\u001B[?25h\u001B[?1049l';
const home = '\u001B[H';
const clearRight = '\u001B[K';
const clearBelow = '\u001B[J';

/** On the terminal's alternate screen, as `watch` and `less` do, so that what stood there before comes back. */
export function openScreen(terminal: Terminal, { color, onResize }: { color: boolean; onResize: () => void }): Screen {
  terminal.write(enter);
  terminal.on('resize', onResize);
  return {
    draw(lines) {
      const rows = fitted(lines, sizeOf(terminal)).map((line) => styledText(line, color) + clearRight);
      terminal.write(home + rows.join('\r\n') + clearBelow);
    },
    close() {
      terminal.off('resize', onResize);
      terminal.write(leave);
    },
  };
}

/** The lines cut to the size of the terminal: a line that wraps, or one too many, would scroll the screen away. */
export function fitted(lines: readonly Line[], { rows, columns }: { rows: number; columns: number }): Line[] {
  const shown =
    lines.length > rows
      ? [
          ...lines.slice(0, rows - 1),
          [{ text: `${lines.length - rows + 1} more lines; a larger terminal shows them`, style: 'dim' } as const],
        ]
      : lines;
  return shown.map((line) => cut(line, columns));
}

function cut(line: Line, columns: number): Line {
  let left = columns;
  return line.map(({ text, style }) => {
    const part = text.slice(0, Math.max(0, left));
    left -= text.length;
    return { text: part, style };
  });
}
