/**
 * Of an object's JSON, in bytes or characters. etcd takes objects of at most 1.5 MiB (--max-request-bytes), of which
 * each byte may be six in JSON, such as `\u003c`; an API server sends nothing longer.
 */
export const maxObjectLength = 16 * 1024 * 1024;
