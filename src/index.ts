/** The package's door: what `import ... from 'hearsay'` gives. */
export type {
  AskReceipt,
  Cache,
  CacheCalls,
  CacheSession,
  CallOptions,
  CloseOptions,
  CputOptions,
  Receipt,
  Receipted,
  SetEntry,
  SetOptions,
  SiblingContext,
  Siblings,
} from './client/cache.js';
export type { Client, ClientStats } from './client/client.js';
export type { ClientOptions } from './client/client-options.js';
export { createClient } from './client/create-client.js';
export type { Duration } from './client/durations.js';
export type { ConsistencyLevel } from './client/greeting.js';
export type { Reply } from './client/reply-parser.js';
export type { StateChange, StateListener } from './client/state-listeners.js';
export type { CommandWord } from './client/verbs.js';
export { type ErrorCode, HearsayError } from './core/base/errors.js';
