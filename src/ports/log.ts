/**
 * Port: the log sink. One line per event that matters, never per operation. Fields are plain values, never secrets or values
 * of entries. Law: calls return at once and never throw.
 */
export interface Log {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
}
