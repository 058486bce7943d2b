/**
 * Commands about the connection: PING, ECHO, HELLO, AUTH, SELECT, RESET, QUIT, READONLY, READWRITE, ASKING.
 * Guarded: a password is compared in a time that tells nothing of it, and what a stranger may do ends here.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { CONNECTION, connectionOf, FAST, NOAUTH, notAnInteger, syntaxError, wrongArity } from './command.js';

/** What clients are told: the Redis whose commands and texts these are. */
export const REDIS_VERSION = '7.4.0';
const NAME_REFUSED = 'Client names cannot contain spaces, newlines or special characters.';

function ping(_context: CommandContext, args: Args, reply: Reply): void {
  if (args.count > 2) throw wrongArity('ping');
  if (args.count === 2) reply.bulk(args.buffer, args.starts[1], args.ends[1]);
  else reply.simple('PONG');
}

function echo(_context: CommandContext, args: Args, reply: Reply): void {
  reply.bulk(args.buffer, args.starts[1], args.ends[1]);
}

function hello(context: CommandContext, args: Args, reply: Reply): void {
  const connection = connectionOf(context);
  let protocol = connection.protocol;
  if (args.count > 1) {
    const version = args.integer(1);
    if (!Number.isFinite(version)) {
      throw new HearsayError('ERR', 'Protocol version is not an integer or out of range');
    }
    if (version !== 2 && version !== 3) {
      reply.error('NOPROTO', 'unsupported protocol version');
      return;
    }
    protocol = version;
  }
  let name = -1;
  let password = -1;
  for (let index = 2; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'AUTH') && index + 2 < args.count) {
      password = index + 2;
      index += 2;
    } else if (args.equalsIgnoreCase(index, 'SETNAME') && index + 1 < args.count) {
      name = ++index;
    } else {
      throw new HearsayError('ERR', `Syntax error in HELLO option '${args.quote(index, 128)}'`);
    }
  }
  if (password >= 0) authenticate(context, args, password - 1, password);
  if (!connection.authenticated) {
    reply.error(
      'NOAUTH',
      'HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> ' +
        'option can be used to authenticate the client and select the RESP protocol version at the same time',
    );
    return;
  }
  if (name >= 0) connection.name = clientName(args, name);
  connection.protocol = protocol;
  reply.map(7);
  reply.bulkString('server');
  reply.bulkString('redis');
  reply.bulkString('version');
  reply.bulkString(REDIS_VERSION);
  reply.bulkString('proto');
  reply.integer(protocol);
  reply.bulkString('id');
  reply.integer(connection.id);
  reply.bulkString('mode');
  reply.bulkString(context.host.settings.topology === 'off' ? 'standalone' : 'cluster');
  reply.bulkString('role');
  reply.bulkString('master');
  reply.bulkString('modules');
  reply.array(0);
}

function auth(context: CommandContext, args: Args, reply: Reply): void {
  if (args.count > 3) throw syntaxError();
  if (args.count === 2 && context.host.settings.password === null) {
    throw new HearsayError(
      'ERR',
      'AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?',
    );
  }
  authenticate(context, args, args.count === 3 ? 1 : -1, args.count - 1);
  reply.ok();
}

/** Lets the connection in, or throws WRONGPASS, or ERR where its address was wrong too often. `user` -1: the one there is. */
function authenticate(context: CommandContext, args: Args, user: number, password: number): void {
  const { host, stats } = context;
  const connection = connectionOf(context);
  // Whoever is let in already is not slowed down.
  if (!connection.authenticated && !host.passwordGuesses.allows(connection.peerAddress, host.monotonicMs)) {
    connection.passwordRefused();
    throw new HearsayError('ERR', 'too many wrong passwords from this address, try again later');
  }
  const known = user < 0 || args.string(user) === 'default';
  const right = host.passwordMatches(args.buffer.subarray(args.starts[password], args.ends[password]));
  if (!known || !right) {
    stats.passwordsRefused++;
    if (!connection.authenticated) host.passwordGuesses.note(connection.peerAddress, host.monotonicMs);
    connection.passwordRefused();
    throw new HearsayError('WRONGPASS', 'invalid username-password pair or user is disabled.');
  }
  connection.authenticated = true;
}

/** A name of a client: printable ASCII without blanks; empty takes it back. */
export function clientName(args: Args, index: number): string {
  for (let at = args.starts[index]; at < args.ends[index]; at++) {
    if (args.buffer[at] < 0x21 || args.buffer[at] > 0x7e) throw new HearsayError('ERR', NAME_REFUSED);
  }
  if (args.length(index) > 256) throw new HearsayError('ERR', 'Client names are at most 256 bytes long.');
  return args.string(index);
}

function select(context: CommandContext, args: Args, reply: Reply): void {
  const database = args.integer(1);
  if (Number.isNaN(database)) throw notAnInteger();
  if (database === 0) {
    reply.ok();
    return;
  }
  const clustered = context.host.settings.topology !== 'off';
  throw new HearsayError('ERR', clustered ? 'SELECT is not allowed in cluster mode' : 'DB index is out of range');
}

function reset(context: CommandContext, _args: Args, _reply: Reply): void {
  connectionOf(context).reset();
  // Asked for anew: replies that were switched off are on again.
  context.caller.reply.simple('RESET');
}

function quit(context: CommandContext, _args: Args, reply: Reply): void {
  reply.ok();
  connectionOf(context).closeAfterReplies();
}

/** Every node reads and writes; so these change nothing. */
function accepted(_context: CommandContext, _args: Args, reply: Reply): void {
  reply.ok();
}

const row = { firstKey: 0, lastKey: 0, step: 0, group: 'connection' } as const;
const open = { ...row, flags: CONNECTION | NOAUTH | FAST } as const;
const closed = { ...row, flags: CONNECTION | FAST } as const;

export const connectionCommands: Command[] = [
  { name: 'ping', arity: -1, ...closed, summary: 'Ask for a sign of life', run: ping },
  { name: 'echo', arity: 2, ...closed, summary: 'Get the given text back', run: echo },
  { name: 'hello', arity: -1, ...open, summary: 'Choose the protocol, and authenticate', run: hello },
  { name: 'auth', arity: -2, ...open, summary: 'Authenticate', run: auth },
  { name: 'quit', arity: -1, ...open, summary: 'Close the connection', run: quit },
  { name: 'reset', arity: 1, ...open, summary: 'Make the connection as if new', run: reset },
  { name: 'select', arity: 2, ...closed, summary: 'Choose the database: there is one, 0', run: select },
  { name: 'readonly', arity: 1, ...closed, summary: 'Accepted: every node answers', run: accepted },
  { name: 'readwrite', arity: 1, ...closed, summary: 'Accepted: every node answers', run: accepted },
  { name: 'asking', arity: 1, ...closed, summary: 'Accepted: every node answers', run: accepted },
];
