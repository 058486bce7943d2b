/**
 * The Node side of the resolver port: the system's own resolution (`getaddrinfo`), asked anew each time.
 * The core asks for contact points; the answer comes back through the world as `nameResolved`, never within the call.
 * Guarded: a bounded number of questions is out, because each holds one of libuv's few threads; those past it are
 * answered as unresolvable.
 */
import { lookup } from 'node:dns';
import { isIP } from 'node:net';
import type { Resolver } from '../ports/resolver.js';
import type { Machine } from '../ports/world.js';

const QUESTIONS_MAX = 2;
const WAITING_MAX = 64;
const HOSTS_MAX = 64;

export type ResolverArrivals = Pick<Machine, 'nameResolved'>;

export class NodeResolver implements Resolver {
  refused = 0;
  private readonly arrivals: ResolverArrivals;
  private readonly waiting: { name: string; token: number }[] = [];
  private out = 0;
  private closed = false;

  constructor(arrivals: ResolverArrivals) {
    this.arrivals = arrivals;
  }

  resolve(name: string, token: number): void {
    if (isIP(name) !== 0) {
      setImmediate(() => this.answer(token, [name]));
    } else if (this.waiting.length >= WAITING_MAX) {
      this.refused++;
      setImmediate(() => this.answer(token, [], 'EBUSY'));
    } else {
      this.waiting.push({ name, token });
      this.askNext();
    }
  }

  /** No answer is delivered after this. */
  close(): void {
    this.closed = true;
    this.waiting.length = 0;
  }

  private askNext(): void {
    while (this.out < QUESTIONS_MAX && this.waiting.length > 0) {
      const { name, token } = this.waiting.shift() as { name: string; token: number };
      this.out++;
      lookup(name, { all: true, order: 'ipv4first' }, (error, found) => {
        this.out--;
        if (error) this.answer(token, [], error.code ?? error.message);
        else
          this.answer(
            token,
            found.slice(0, HOSTS_MAX).map((each) => each.address),
            found.length === 0 ? 'ENODATA' : '',
          );
        this.askNext();
      });
    }
  }

  private answer(token: number, hosts: string[], why = ''): void {
    if (!this.closed) this.arrivals.nameResolved(token, hosts, why);
  }
}
