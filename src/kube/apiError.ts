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
  /** From the header Retry-After or the Status object; undefined where neither says it. */
  readonly retryAfterSeconds: number | undefined;
  /** What the API server refuses of the object, by paths such as `status.failures[3].node`; empty where it names none. */
  readonly fields: readonly string[];

  constructor(details: ApiErrorDetails, options?: ErrorOptions) {
    super(details.message, options);
    this.name = 'ApiError';
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.fields = details.fields ?? [];
  }
}

/** The fields of an ApiError. */
export interface ApiErrorDetails {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly retryAfterSeconds?: number | undefined;
  readonly fields?: readonly string[];
}

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
/** Another field manager owns what a server-side apply without `force` would change: one of them has to let go. */
export const isFieldManagerConflict = (error: unknown): boolean => hasReason(error, fieldManagerConflict);

/**
 * Milliseconds for which the API server asks not to be asked again (Retry-After); found also where the ApiError is the
 * cause of the error or one of an AggregateError's, of which the longest counts. 0 where it does not ask.
 */
export function retryAfterMs(error: unknown): number {
  if (error instanceof ApiError) return (error.retryAfterSeconds ?? 0) * 1000;
  if (error instanceof AggregateError) return Math.max(0, ...error.errors.map(retryAfterMs));
  return error instanceof Error ? retryAfterMs(error.cause) : 0;
}

/**
 * The error in a Kubernetes Status object: the body of a refused request, or the object of a watch's ERROR event, for
 * which `httpStatus` is 0 and the object's own code counts. Messages are cut at 1024 characters.
 */
export function errorFromStatus(body: unknown, httpStatus: number, retryAfterHeader?: string): ApiError {
  const status = asStatus(body);
  const code = httpStatus > 299 ? httpStatus : (status.code ?? 500);
  return new ApiError({
    status: code,
    reason: isOfFieldManagers(status) ? fieldManagerConflict : (status.reason ?? `HTTP${code}`),
    message: (status.message ?? `the API server answered ${code}`).slice(0, 1024),
    retryAfterSeconds: seconds(retryAfterHeader) ?? status.details?.retryAfterSeconds,
    fields: (status.details?.causes ?? []).flatMap(({ field }) => field ?? []),
  });
}

/** The error of a request that got no readable response. */
export function unreachable(message: string, cause: unknown): ApiError {
  return new ApiError({ status: 0, reason: 'Unreachable', message }, { cause });
}

interface StatusBody {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly field?: string }[];
  };
}

function isOfFieldManagers({ details }: StatusBody): boolean {
  return details?.causes?.[0]?.reason === fieldManagerConflict;
}

function asStatus(body: unknown): StatusBody {
  const isStatus = typeof body === 'object' && body !== null && 'kind' in body && body.kind === 'Status';
  return isStatus ? (body as StatusBody) : {};
}

function seconds(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
