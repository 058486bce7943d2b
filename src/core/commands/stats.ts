/**
 * Plain counters of what clients asked for: calls and failures by command, errors by code, hits and misses, connections.
 * Sessions and commands count; INFO and the node's metrics read.
 * Guarded: codes of errors are kept for at most `ERROR_CODES_MAX` words; others are counted together.
 */

const ERROR_CODES_MAX = 128;

export class CommandStats {
  /** By the command's place in the table. */
  readonly calls: Float64Array;
  /** Refused before they ran: wrong arity, not authenticated. */
  readonly rejected: Float64Array;
  /** Ran and answered an error at once. */
  readonly failed: Float64Array;
  readonly errors = new Map<string, number>();
  errorsTotal = 0;
  commandsProcessed = 0;
  keyspaceHits = 0;
  keyspaceMisses = 0;
  connectionsReceived = 0;
  connectionsRejected = 0;
  /** Closed for owing their client more than the output limit. */
  outputLimitClosed = 0;
  /** Closed for half a command that did not get whole in time. */
  partialCommandClosed = 0;
  /** Replies that waited for a log that was stuck, and were answered UNAVAILABLE instead. */
  heldRefused = 0;
  /** Closed because the node stopped and the log that their replies waited for was stuck. */
  heldClosed = 0;
  protocolErrors = 0;
  /** AUTH and HELLO AUTH with a wrong password. */
  passwordsRefused = 0;
  inputBytes = 0;
  outputBytes = 0;
  /** Times a session stopped reading because its client did not. */
  pauses = 0;
  /** The most memory that INFO or MEMORY STATS have seen. */
  memoryPeakBytes = 0;
  /** Of about the last second, kept by `tick`. */
  commandsPerSecond = 0;
  inputBytesPerSecond = 0;
  outputBytesPerSecond = 0;
  private rateSinceMs = 0;
  private commandsBefore = 0;
  private inputBefore = 0;
  private outputBefore = 0;

  constructor(commands: number) {
    this.calls = new Float64Array(commands);
    this.rejected = new Float64Array(commands);
    this.failed = new Float64Array(commands);
  }

  countError(code: string): void {
    this.errorsTotal++;
    const known = this.errors.has(code) || this.errors.size < ERROR_CODES_MAX;
    const counted = known ? code : 'OTHER';
    this.errors.set(counted, (this.errors.get(counted) ?? 0) + 1);
  }

  /** About once a second: rates are of what was counted since. */
  tick(nowMs: number): void {
    const seconds = (nowMs - this.rateSinceMs) / 1000;
    if (seconds < 0.9) return;
    this.commandsPerSecond = Math.max(0, Math.round((this.commandsProcessed - this.commandsBefore) / seconds));
    this.inputBytesPerSecond = Math.max(0, (this.inputBytes - this.inputBefore) / seconds);
    this.outputBytesPerSecond = Math.max(0, (this.outputBytes - this.outputBefore) / seconds);
    this.rateSinceMs = nowMs;
    this.commandsBefore = this.commandsProcessed;
    this.inputBefore = this.inputBytes;
    this.outputBefore = this.outputBytes;
  }

  /** CONFIG RESETSTAT. */
  reset(): void {
    this.calls.fill(0);
    this.rejected.fill(0);
    this.failed.fill(0);
    this.errors.clear();
    this.errorsTotal = 0;
    this.commandsProcessed = 0;
    this.commandsBefore = 0;
    this.inputBefore = 0;
    this.outputBefore = 0;
    this.memoryPeakBytes = 0;
    this.keyspaceHits = 0;
    this.keyspaceMisses = 0;
    this.connectionsReceived = 0;
    this.connectionsRejected = 0;
    this.outputLimitClosed = 0;
    this.partialCommandClosed = 0;
    this.protocolErrors = 0;
    this.passwordsRefused = 0;
    this.inputBytes = 0;
    this.outputBytes = 0;
    this.pauses = 0;
  }
}
