/**
 * The transport protocols of Services.
 */
export type Protocol = 'TCP' | 'UDP' | 'SCTP';
