/**
 * The forms in which `proxyconfig status` comes out: a screen, lines, or documents for programs.
 */
import { toSeconds } from '../../api/conditions.ts';
import type { StatusConfig } from '../../config.ts';
import { printable, printableJSON, printableYAML } from '../../observability/printable.ts';
import { changeLines, changesBetween, paragraph, statusLines, type Line } from './lines.ts';
import { openScreen, styledText, sizeOf } from './screen.ts';
import type { StatusView } from './view.ts';

type Terminal = Parameters<typeof openScreen>[0];

/** Where the output goes. */
export interface Streams {
  readonly stdout: Terminal;
  readonly stderr: Pick<Terminal, 'write'>;
}

/** Shows a view as it changes. */
export interface Output {
  /** Shows the view, or what differs from the one before. */
  show(view: StatusView): void;
  /** Shows why the view may be old; undefined once it is not. */
  warn(message: string | undefined): void;
  /** Gives the terminal back; nothing is shown afterwards. */
  close(): void;
}

/** The whole view, once; text is wrapped only on a terminal. */
export function formatView(
  view: StatusView,
  { output, terminal: { isInteractive, color, unicode } }: StatusConfig,
  stdout: Streams['stdout'],
): string {
  if (output === 'json') return `${printableJSON(view, 2)}\n`;
  if (output === 'yaml') return printableYAML(view);
  const lines = statusLines(view, {
    now: new Date(),
    width: isInteractive ? sizeOf(stdout).columns : undefined,
    unicode,
  });
  return lines.map((line) => `${styledText(line, color)}\n`).join('');
}

/** The output of --watch in the form that is asked for: text as a screen on a terminal, otherwise as lines. */
export function watchOutput(config: StatusConfig, context: string, streams: Streams): Output {
  if (config.output !== 'text') return documentOutput(config, streams);
  return config.terminal.isInteractive ? screenOutput(config, context, streams.stdout) : lineOutput(streams);
}

/**
 * Drawn anew on every change, and each second for the ages in it. What was last shown stays in the terminal afterwards.
 */
function screenOutput(config: StatusConfig, context: string, stdout: Streams['stdout']): Output {
  const { color, unicode } = config.terminal;
  let view: StatusView | undefined;
  let warning: string | undefined;
  const draw = (): void =>
    screen.draw(screenLines({ view, warning, context, width: sizeOf(stdout).columns, unicode, now: new Date() }));
  const screen = openScreen(stdout, { color, onResize: () => draw() });
  const redrawTimer = setInterval(draw, 1000);
  draw();
  return {
    show: (next) => {
      view = next;
      draw();
    },
    warn: (message) => {
      warning = message;
      draw();
    },
    close: () => {
      clearInterval(redrawTimer);
      screen.close();
      if (view !== undefined) stdout.write(formatView(view, config, stdout));
    },
  };
}

/** What a screen is made from. */
export interface ScreenContent {
  readonly view: StatusView | undefined;
  /** Why the view may be old. */
  readonly warning: string | undefined;
  readonly context: string;
  readonly width: number;
  readonly unicode: boolean;
  readonly now: Date;
}

/** Pure: the head line, the warning where there is one, and the view. */
export function screenLines({ view, warning, context, ...options }: ScreenContent): Line[] {
  const head: Line = [{ text: `${options.now.toTimeString().slice(0, 8)}  ${context}  Ctrl-C ends`, style: 'dim' }];
  const warningLines = paragraph(warning ?? '', { indent: 0, width: options.width, style: 'yellow' });
  return [
    head,
    ...warningLines,
    [],
    ...(view === undefined ? [[{ text: 'asking the API server…' }]] : statusLines(view, options)),
  ];
}

/** One line per change, for logs and pipes. */
function lineOutput({ stdout, stderr }: Streams): Output {
  let before: ReadonlyMap<string, string> = new Map();
  let isFirst = true;
  const write = (stream: Streams['stderr'], text: string): void =>
    void stream.write(`${toSeconds(new Date())} ${printable(text)}\n`);
  return {
    show: (view) => {
      const after = changeLines(view);
      for (const line of changesBetween(before, after)) write(stdout, line);
      if (isFirst && after.size === 0) write(stdout, 'there is no ProxyConfig');
      before = after;
      isFirst = false;
    },
    warn: (message) => write(stderr, message ?? 'the API server answers again'),
    close: () => undefined,
  };
}

/** A document for each view that differs: JSON on a line of its own, YAML after `---`. */
function documentOutput({ output }: StatusConfig, { stdout, stderr }: Streams): Output {
  let last: string | undefined;
  return {
    show: (view) => {
      const text = printableJSON(view);
      if (text !== last) stdout.write(output === 'json' ? `${text}\n` : `---\n${printableYAML(view)}`);
      last = text;
    },
    warn: (message) => stderr.write(`${printable(message ?? 'the API server answers again')}\n`),
    close: () => undefined,
  };
}
