/**
 * The forms in which `proxyconfig status` comes out: a screen, lines, or documents for programs.
 */
import { stringify } from 'yaml';
import { toSeconds } from '../api/conditions.ts';
import type { StatusConfig } from '../config.ts';
import { changeLines, changesBetween, paragraph, statusLines, type Line } from './statusLines.ts';
import { openScreen, painted, sizeOf } from './statusScreen.ts';
import type { StatusView } from './statusView.ts';

type Terminal = Parameters<typeof openScreen>[0];

export interface Streams {
  readonly stdout: Terminal;
  readonly stderr: Pick<Terminal, 'write'>;
}

/** Follows a view as it changes. */
export interface Output {
  show(view: StatusView): void;
  /** Why the view may be old; undefined once it is not. */
  trouble(message: string | undefined): void;
  close(): void;
}

/** The whole view, once; text is wrapped only on a terminal. */
export function printed(
  view: StatusView,
  { output, terminal: { live, color, unicode } }: StatusConfig,
  stdout: Streams['stdout'],
): string {
  if (output === 'json') return `${JSON.stringify(view, null, 2)}\n`;
  if (output === 'yaml') return stringify(view);
  const lines = statusLines(view, { now: new Date(), width: live ? sizeOf(stdout).columns : undefined, unicode });
  return lines.map((line) => `${painted(line, color)}\n`).join('');
}

export function watchOutput(config: StatusConfig, context: string, streams: Streams): Output {
  if (config.output !== 'text') return documents(config, streams);
  return config.terminal.live ? screen(config, context, streams.stdout) : linesOutput(streams);
}

/**
 * Drawn anew on every change, and each second for the ages in it. What was last seen stays in the terminal afterwards.
 */
function screen(config: StatusConfig, context: string, stdout: Streams['stdout']): Output {
  const { color, unicode } = config.terminal;
  let view: StatusView | undefined;
  let trouble: string | undefined;
  const draw = (): void =>
    drawn.draw(screenLines({ view, trouble, context, width: sizeOf(stdout).columns, unicode, now: new Date() }));
  const drawn = openScreen(stdout, { color, onResize: () => draw() });
  const ticking = setInterval(draw, 1000);
  draw();
  return {
    show: (next) => {
      view = next;
      draw();
    },
    trouble: (message) => {
      trouble = message;
      draw();
    },
    close: () => {
      clearInterval(ticking);
      drawn.close();
      if (view !== undefined) stdout.write(printed(view, config, stdout));
    },
  };
}

export interface ScreenContent {
  readonly view: StatusView | undefined;
  readonly trouble: string | undefined;
  readonly context: string;
  readonly width: number;
  readonly unicode: boolean;
  readonly now: Date;
}

/** Pure: the head line, trouble where there is any, and the view. */
export function screenLines({ view, trouble, context, ...options }: ScreenContent): Line[] {
  const head: Line = [{ text: `${options.now.toTimeString().slice(0, 8)}  ${context}  Ctrl-C ends`, tone: 'dim' }];
  const warning = paragraph(trouble ?? '', { indent: 0, width: options.width, tone: 'yellow' });
  return [
    head,
    ...warning,
    [],
    ...(view === undefined ? [[{ text: 'asking the API server…' }]] : statusLines(view, options)),
  ];
}

/** One line per change, for logs and pipes. */
function linesOutput({ stdout, stderr }: Streams): Output {
  let before: ReadonlyMap<string, string> = new Map();
  let isFirst = true;
  const write = (stream: Streams['stderr'], text: string): void =>
    void stream.write(`${toSeconds(new Date())} ${text}\n`);
  return {
    show: (view) => {
      const after = changeLines(view);
      for (const line of changesBetween(before, after)) write(stdout, line);
      if (isFirst && after.size === 0) write(stdout, 'there is no ProxyConfig');
      before = after;
      isFirst = false;
    },
    trouble: (message) => write(stderr, message ?? 'the API server answers again'),
    close: () => undefined,
  };
}

/** A document for each view that differs: JSON on a line of its own, YAML after `---`. */
function documents({ output }: StatusConfig, { stdout, stderr }: Streams): Output {
  let last: string | undefined;
  return {
    show: (view) => {
      const text = JSON.stringify(view);
      if (text !== last) stdout.write(output === 'json' ? `${text}\n` : `---\n${stringify(view)}`);
      last = text;
    },
    trouble: (message) => stderr.write(`${message ?? 'the API server answers again'}\n`),
    close: () => undefined,
  };
}
