/**
 * A session of a client: the verbs of a cache under which a caller reads what it wrote, through any node. `Client.session` makes it; it
 * keeps the token of what was seen and sends it with every call (exchange.ts).
 * Guarded: the token never forgets: what overlapping calls give back is joined, and a call that fails leaves it as it was.
 */
import { HearsayError } from '../core/base/errors.js';
import { joinTokens, TOKEN_CHARACTERS_MAX } from '../core/commands/session-token.js';
import type { CacheSession } from './cache.js';
import type { CallSettings } from './call.js';
import type { Dispatcher } from './dispatcher.js';
import { type Answer, exchange, type KeyCommand } from './exchange.js';
import { type ReadCounts, type VerbOptions, Verbs } from './verbs.js';

export class ClientSession extends Verbs implements CacheSession {
  constructor(
    dispatcher: Dispatcher,
    counts: ReadCounts,
    { requestTimeoutMs }: VerbOptions,
    private seen: string,
  ) {
    super(dispatcher, counts, { requestTimeoutMs, missOnError: false });
    if (typeof seen !== 'string' || seen.length > TOKEN_CHARACTERS_MAX || !/^[\w-]*$/.test(seen)) {
      throw new HearsayError('SESSION', 'this is no token of a session');
    }
  }

  get token(): string {
    return this.seen;
  }

  protected async exchange(command: KeyCommand, call: CallSettings, receipt: boolean): Promise<Answer> {
    const sent = this.seen;
    const answer = await exchange(this.dispatcher, command, call, { receipt, session: sent });
    if (answer.token !== null) this.note(sent, answer.token);
    return answer;
  }

  /** What the node gave back has all that it was sent. */
  private note(sent: string, token: string): void {
    const joined = this.seen === sent ? token : joinTokens(this.seen, token);
    if (joined === null) throw new HearsayError('SESSION', 'the server gave no token of the session that it was sent');
    this.seen = joined;
  }
}
