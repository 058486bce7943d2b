/**
 * The handshake of a connection, as a machine: which command to send next, given the reply to the last one. RESP3 by HELLO,
 * with password and name; a server that does not know HELLO is spoken to in RESP2; then the level, if one is asked for.
 * connection.ts runs it before the first request, so no request ever runs unauthenticated or at another level.
 */
import { HearsayError } from '../core/base/errors.js';
import { encodeCommand } from './command-bytes.js';
import type { Reply } from './reply-parser.js';

export type ConsistencyLevel = 'one' | 'quorum' | 'all';

export interface GreetingOptions {
  username: string;
  /** None: no AUTH is sent. */
  password: string | null;
  /** What CLIENT LIST shows. */
  name: string;
  /** None: the server's own level. */
  level: ConsistencyLevel | null;
}

type Step = 'hello' | 'auth' | 'name' | 'level';

export class Greeting {
  private step: Step = 'hello';

  constructor(private readonly options: GreetingOptions) {}

  /** The first command. */
  open(): Buffer {
    const { username, password, name } = this.options;
    const auth = password === null ? [] : ['AUTH', username, password];
    return encodeCommand(['HELLO', '3', ...auth, 'SETNAME', name]);
  }

  /** The command after this reply; null when the connection is ready; an error when it cannot be. */
  next(reply: Reply): Buffer | null | HearsayError {
    const error = reply instanceof HearsayError ? reply : null;
    switch (this.step) {
      case 'hello':
        if (error === null) return this.level();
        if (error.code === 'WRONGPASS' || error.code === 'NOAUTH') return error;
        return this.options.password === null ? this.name() : this.auth(this.options.password);
      case 'auth':
        return error ?? this.name();
      case 'name':
        // A server that knows no names serves all the same, but one that asks for a password does not.
        return error?.code === 'NOAUTH' ? error : this.level();
      case 'level':
        return error;
    }
  }

  private auth(password: string): Buffer {
    this.step = 'auth';
    const { username } = this.options;
    return encodeCommand(username === 'default' ? ['AUTH', password] : ['AUTH', username, password]);
  }

  private name(): Buffer {
    this.step = 'name';
    return encodeCommand(['CLIENT', 'SETNAME', this.options.name]);
  }

  private level(): Buffer | null {
    if (this.options.level === null) return null;
    this.step = 'level';
    return encodeCommand(['HEARSAY.CONSISTENCY', 'READ', this.options.level, 'WRITE', this.options.level]);
  }
}
