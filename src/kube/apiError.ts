import { fieldOf, textOf } from './fieldOf.ts';

/**
 * What went wrong between us and the API server, classified once.
 */
export class ApiError extends Error {
  /** The HTTP status; 0: no response came at all (connection refused, cut or timed out), or it was not JSON. */
  readonly status: number;
  /**
   * `reason` of the Kubernetes Status object, e.g. `NotFound`, `Expired`, or of its first cause where that says more:
   * `FieldManagerConflict`. `Unreachable` with status 0.
   */
  readonly reason: string;
  /** From the header Retry-After or the Status object: 0 to 60; undefined where neither has a number of seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** What the API server refuses of the object, by paths such as `status.failures[3].node`; empty where it names none. */
  readonly fields: readonly string[];

  constructor(details: ApiErrorDetails, options?: ErrorOptions) {
    super(details.message, options);
    this.name = 'ApiError';
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterSeconds = boundedSeconds(details.retryAfterSeconds);
    this.fields = details.fields ?? [];
  }
}

/** The fields of an ApiError. */
export interface ApiErrorDetails {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  /** What is no number of at least 0 counts as absent, more than 60 as 60. */
  readonly retryAfterSeconds?: unknown;
  readonly fields?: readonly string[];
}

/**
 * No API server is busy for longer than this, and nobody is to be kept away for a day by a proxy that says so. A timer
 * of over 24 days would fire at once.
 */
const maxRetryAfterSeconds = 60;
const fieldManagerConflict = 'FieldManagerConflict';
const hasReason = (error: unknown, reason: string): boolean => error instanceof ApiError && error.reason === reason;
const hasStatus = (error: unknown, status: number): boolean => error instanceof ApiError && error.status === status;

/** No response came, or none that could be read. */
export const isUnreachable = (error: unknown): boolean => hasStatus(error, 0);
/** The credentials are missing, wrong or out of date. */
export const isUnauthorized = (error: unknown): boolean => hasStatus(error, 401);
/** RBAC or admission refuses the request. */
export const isForbidden = (error: unknown): boolean => hasStatus(error, 403);
/** There is no such object, or no such kind. */
export const isNotFound = (error: unknown): boolean => hasStatus(error, 404);
/** Too many requests, or a response with Retry-After: more requests make it worse. */
export const isOverloaded = (error: unknown): boolean => hasStatus(error, 429) || retryAfterMs(error) > 0;
/**
 * The API server, or admission, does not take this object as it is: other objects are written all the same, and this
 * one may be taken in another form. Also an internal error (500), which is what server-side apply answers to some
 * objects that it cannot merge.
 */
export const isRefused = (error: unknown): boolean =>
  error instanceof ApiError && !isOverloaded(error) && [400, 403, 413, 422, 500].includes(error.status);
/** The resourceVersion or continue token is too old: list again from the start. */
export const isGone = (error: unknown): boolean => hasStatus(error, 410);
/** The object is not as the write takes it to be: see retryOnConflict.ts. */
export const isConflict = (error: unknown): boolean =>
  hasStatus(error, 409) && !isAlreadyExists(error) && !isFieldManagerConflict(error);
/** An object of the name that was to be created is there. */
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, 'AlreadyExists');
/** A watch brought an object that is not of its kind: nothing it says can be relied on. */
export const isNotAnEvent = (error: unknown): boolean => hasReason(error, 'NotAnEvent');
/** Another field manager owns what a server-side apply without `force` would change: one of them has to let go. */
export const isFieldManagerConflict = (error: unknown): boolean => hasReason(error, fieldManagerConflict);

/**
 * Milliseconds to wait before the API server is asked again: what it asks for (Retry-After), lengthened by up to a
 * fifth, so that all that were told the same do not come back at the same moment. Found also where the ApiError is the
 * cause of the error or one of an AggregateError's, of which the longest counts. 0 where it does not ask.
 */
export function retryAfterMs(error: unknown): number {
  if (error instanceof ApiError) return (error.retryAfterSeconds ?? 0) * 1000 * (1 + Math.random() / 5);
  if (error instanceof AggregateError) return Math.max(0, ...error.errors.map(retryAfterMs));
  return error instanceof Error ? retryAfterMs(error.cause) : 0;
}

/**
 * The error in a Kubernetes Status object: the body of a refused request, or the object of a watch's ERROR event, for
 * which `httpStatus` is 0 and the object's own code counts. Messages are cut at 1024 characters.
 */
export function errorFromStatus(body: unknown, httpStatus: number, retryAfterHeader?: string): ApiError {
  const status = textOf(body, 'kind') === 'Status' ? body : undefined;
  const code = httpStatus > 299 ? httpStatus : errorCode(fieldOf(status, 'code'));
  return new ApiError({
    status: code,
    reason: isOfFieldManagers(status) ? fieldManagerConflict : (textOf(status, 'reason') ?? `HTTP${code}`),
    message: (textOf(status, 'message') ?? `the API server answered ${code}`).slice(0, 1024),
    retryAfterSeconds: seconds(retryAfterHeader) ?? fieldOf(fieldOf(status, 'details'), 'retryAfterSeconds'),
    fields: causesOf(status).flatMap((cause) => textOf(cause, 'field') ?? []),
  });
}

/** The error of a request that got no readable response. */
export function unreachable(message: string, cause: unknown): ApiError {
  return new ApiError({ status: 0, reason: 'Unreachable', message }, { cause });
}

function isOfFieldManagers(status: unknown): boolean {
  return textOf(causesOf(status)[0], 'reason') === fieldManagerConflict;
}

function causesOf(status: unknown): readonly unknown[] {
  const causes = fieldOf(fieldOf(status, 'details'), 'causes');
  return Array.isArray(causes) ? causes : [];
}

/** 500 where it is no status of an error. */
function errorCode(code: unknown): number {
  return typeof code === 'number' && code > 299 && code < 600 ? code : 500;
}

/** Of the header's two forms the one that API servers send; the other is a date. */
function seconds(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header) ? Number(header) : undefined;
}

function boundedSeconds(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? Math.min(value, maxRetryAfterSeconds)
    : undefined;
}
