/**
 * Writes of statuses that the API server refuses: they are written again without what it does not take, so that one
 * bad part keeps nobody from being told the rest.
 */
import { isDeepStrictEqual } from 'node:util';
import { ApiError, isRefused } from './apiError.ts';
import type { KubeClient } from './client.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Called for each refusal after which another form of the status is tried. */
export type OnReduced = (error: unknown, without: string) => void;

/** So often is one status tried, the first time included. */
const maxTries = 10;
/** Never left out: what a status is about, and the state that decisions go on from. Server-side apply would delete it. */
const kept = new Set(['observedGeneration', 'rollout']);

const reductions: readonly { readonly without: string; readonly of: (status: Fields) => Fields }[] = [
  { without: 'failures', of: ({ failures: _failures, ...rest }) => rest },
  { without: 'dataplane.quarantined', of: withoutQuarantined },
  { without: 'conditions other than Ready', of: readyAlone },
];

/**
 * Sends the status, and where it is refused sends it without the parts that the API server names (`ApiError.fields`),
 * then without failures, then quarantined Services, then conditions but Ready. Returns what `send` resolves with.
 * Throws the last refusal where nothing is left to leave out, or it was tried ten times; every other error at once.
 */
export async function sendReduced<T>(
  status: object,
  send: (status: object) => Promise<T>,
  onReduced: OnReduced,
): Promise<T> {
  let tried = status as Fields;
  for (let tries = 1; ; tries += 1) {
    try {
      return await send(tried);
    } catch (error) {
      const next = isRefused(error) && tries < maxTries ? reduced(tried, error) : undefined;
      if (next === undefined) throw error;
      onReduced(error, next.without);
      tried = next.status;
    }
  }
}

/** The client, for one whose writes are applied statuses: each is sent by `sendReduced`. */
export function reducingClient(client: KubeClient, onReduced: OnReduced): KubeClient {
  return {
    ...client,
    send: (method, path, options = {}) => {
      const { status, ...rest } = options.body as { readonly status: object };
      return sendReduced(
        status,
        (tried) => client.send(method, path, { ...options, body: { ...rest, status: tried } }),
        onReduced,
      );
    },
  };
}

function reduced(status: Fields, error: unknown): { status: Fields; without: string } | undefined {
  const fields = error instanceof ApiError ? error.fields : [];
  const candidates = [
    { without: fields.join(', '), status: withoutNamed(status, fields) },
    ...reductions.map(({ without, of }) => ({ without, status: of(status) })),
  ];
  return candidates.find((candidate) => !isDeepStrictEqual(candidate.status, status));
}

/** Without the entry of a list that a field stands in, or without the field itself where it stands in none. */
function withoutNamed(status: Fields, fields: readonly string[]): Fields {
  const paths = fields
    .map((field) => field.split(/[.[\]]+/).filter((name) => name !== ''))
    .filter(([root, first = '']) => root === 'status' && first !== '' && !kept.has(first));
  return leftOut(
    status,
    paths.map(([, ...path]) => path),
  ) as Fields;
}

type Path = readonly string[];

function leftOut(value: Fields | readonly unknown[], paths: readonly Path[]): unknown {
  const ending = (name: string): readonly Path[] =>
    paths.filter(([first]) => first === name).map(([, ...further]) => further);
  if (Array.isArray(value)) return value.filter((entry, index) => isReady(entry) || ending(`${index}`).length === 0);
  const entries = Object.entries(value).flatMap(([name, each]): [string, unknown][] => {
    const further = ending(name);
    if (further.length === 0) return [[name, each]];
    return isObject(each) && further.every((path) => path.length > 0) ? [[name, leftOut(each, further)]] : [];
  });
  return Object.fromEntries(entries);
}

function withoutQuarantined({ dataplane, ...status }: Fields): Fields {
  if (!isObject(dataplane)) return dataplane === undefined ? status : { ...status, dataplane };
  const { quarantined: _quarantined, ...rest } = dataplane;
  return { ...status, dataplane: rest };
}

function readyAlone({ conditions, ...status }: Fields): Fields {
  return Array.isArray(conditions) ? { ...status, conditions: conditions.filter(isReady) } : status;
}

function isReady(condition: unknown): boolean {
  return isObject(condition) && condition['type'] === 'Ready';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
