/**
 * @module The seam to other programs. Two files behind it start them, and nothing else does: `spawnTool.ts` on Node's
 * own child_process for the agent, `execaTool.ts` on execa for commands whose memory nobody counts (docs/adr/0012).
 *
 * Both start a tool by its absolute path and an argument array, without a shell. It sees nothing of this program's
 * environment, and its working directory is `/`. It leads a session and process group of its own, so that its children
 * can be killed with it and a Ctrl-C at a terminal reaches this program alone. Neither listens for signals or for the
 * exit of this process: what becomes of it is decided elsewhere.
 */

/** All that a tool sees of an environment; LC_ALL=C keeps its words in one language. */
export const toolEnvironment = { LC_ALL: 'C', PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };

/** How much longer than `kill` the output may stay open. */
export const closeAfterMs = 1000;

export interface ToolStreams {
  /**
   * The input, each piece taken when the tool has read most of those before it; without it the input is empty. An error
   * in making the pieces ends them, and is the maker's to tell.
   */
  readonly input?: Iterable<Uint8Array> | undefined;
  /** Gets the output in whatever pieces it comes; must not throw. */
  readonly onStdout: (text: string) => void;
  readonly onStderr: (text: string) => void;
}

/** How a tool ended. With neither exit code nor signal it could not be started. */
export interface ToolEnd {
  readonly exitCode?: number | undefined;
  /** e.g. `SIGSEGV` */
  readonly signal?: string | undefined;
  /** Of a tool that could not be started, e.g. `ENOENT`. */
  readonly code?: string | undefined;
  /** The error that the code comes from. */
  readonly cause?: unknown;
}

export interface ToolProcess {
  /**
   * Fulfilled when the tool has ended and its output is read to the end, which is when no process holds it open any
   * more; never rejected.
   */
  readonly end: Promise<ToolEnd>;
  /**
   * Kills the tool and all of its process group with SIGKILL. A process that left the group and holds the output open
   * is waited for `closeAfterMs` longer; the tool itself as long as the kernel is busy for it, because it may still
   * change the kernel. Not to be called after the end, when the number of the group may be another's.
   */
  readonly kill: () => void;
}

/** Never throws: a tool that cannot be started ends at once. */
export type StartTool = (file: string, args: readonly string[], streams: ToolStreams) => ToolProcess;

/** The end of a tool that could not be started. */
export function notStarted(cause: unknown): ToolEnd {
  const { code } = cause as { code?: unknown };
  return { code: typeof code === 'string' ? code : undefined, cause };
}
