/**
 * CLIENT: who is connected, by which name, and closing connections. Redis's texts and fields, as far as they mean something.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext, Connection } from './command.js';
import { CONNECTION, connectionOf, notAnInteger, syntaxError, unknownSubcommand, wrongArity } from './command.js';
import { clientName } from './connection.js';
import { writeHelp } from './help.js';

function run(context: CommandContext, args: Args, reply: Reply): void {
  const connection = connectionOf(context);
  const { count } = args;
  if (args.equalsIgnoreCase(1, 'ID')) {
    requireWords(count === 2, 'id');
    reply.integer(connection.id);
  } else if (args.equalsIgnoreCase(1, 'GETNAME')) {
    requireWords(count === 2, 'getname');
    if (connection.name === '') reply.null();
    else reply.bulkString(connection.name);
  } else if (args.equalsIgnoreCase(1, 'SETNAME')) {
    requireWords(count === 3, 'setname');
    connection.name = clientName(args, 2);
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'SETINFO')) {
    requireWords(count === 4, 'setinfo');
    setInfo(connection, args);
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'INFO')) {
    requireWords(count === 2, 'info');
    reply.verbatim(describe(connection, context.host.monotonicMs));
  } else if (args.equalsIgnoreCase(1, 'LIST')) {
    reply.verbatim(list(connection, args, context.host.monotonicMs));
  } else if (args.equalsIgnoreCase(1, 'KILL')) {
    requireWords(count >= 3, 'kill');
    kill(connection, args, reply);
  } else if (args.equalsIgnoreCase(1, 'NO-EVICT')) {
    requireWords(count === 3, 'no-evict');
    connection.noEvict = onOrOff(args);
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'NO-TOUCH')) {
    requireWords(count === 3, 'no-touch');
    connection.noTouch = onOrOff(args);
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'REPLY')) {
    requireWords(count === 3, 'reply');
    setReplyMode(context, args);
  } else if (args.equalsIgnoreCase(1, 'UNBLOCK')) {
    requireWords(count >= 3, 'unblock');
    unblock(args, reply);
  } else if (args.equalsIgnoreCase(1, 'PAUSE')) {
    requireWords(count >= 3, 'pause');
    throw new HearsayError(
      'ERR',
      'CLIENT PAUSE is not had: other nodes go on serving, so pausing one holds nothing still',
    );
  } else if (args.equalsIgnoreCase(1, 'UNPAUSE')) {
    requireWords(count === 2, 'unpause');
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'GETREDIR')) {
    requireWords(count === 2, 'getredir');
    reply.integer(-1);
  } else if (args.equalsIgnoreCase(1, 'TRACKINGINFO')) {
    requireWords(count === 2, 'trackinginfo');
    trackingInfo(reply);
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    requireWords(count === 2, 'help');
    writeHelp(reply, 'CLIENT', HELP);
  } else {
    throw unknownSubcommand('CLIENT', args);
  }
}

function requireWords(fit: boolean, subcommand: string): void {
  if (!fit) throw wrongArity(`client|${subcommand}`);
}

function onOrOff(args: Args): boolean {
  if (args.equalsIgnoreCase(2, 'ON')) return true;
  if (args.equalsIgnoreCase(2, 'OFF')) return false;
  throw syntaxError();
}

/** Only ON is answered: what answers is asked for anew, since it may have been switched off. */
function setReplyMode(context: CommandContext, args: Args): void {
  const connection = connectionOf(context);
  if (args.equalsIgnoreCase(2, 'ON')) {
    connection.replyMode = 'on';
    context.caller.reply.ok();
  } else if (args.equalsIgnoreCase(2, 'OFF')) {
    connection.replyMode = 'off';
  } else if (args.equalsIgnoreCase(2, 'SKIP')) {
    connection.replyMode = 'skip';
  } else {
    throw syntaxError();
  }
}

/** No command waits for another client; WAIT and WAITAOF have a time of their own. */
function unblock(args: Args, reply: Reply): void {
  if (args.count > 4) throw syntaxError();
  if (args.count === 4 && !args.equalsIgnoreCase(3, 'TIMEOUT') && !args.equalsIgnoreCase(3, 'ERROR')) {
    throw new HearsayError('ERR', 'CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
  }
  if (Number.isNaN(args.integer(2))) throw notAnInteger();
  reply.integer(0);
}

/** Nothing is tracked for this connection. */
function trackingInfo(reply: Reply): void {
  reply.map(3);
  reply.bulkString('flags');
  reply.set(1);
  reply.bulkString('off');
  reply.bulkString('redirect');
  reply.integer(-1);
  reply.bulkString('prefixes');
  reply.array(0);
}

const HELP: [string, string][] = [
  ['GETREDIR', 'Return the client ID we are redirecting to when tracking is enabled.'],
  ['GETNAME', 'Return the name of the current connection.'],
  ['ID', 'Return the ID of the current connection.'],
  ['INFO', 'Return information about the current client connection.'],
  ['KILL <ip:port>', 'Kill connection made from <ip:port>.'],
  [
    'KILL <option> <value> [<option> <value> [...]]',
    'Kill connections. Options: ADDR, LADDR, TYPE, USER, ID, MAXAGE, SKIPME (YES|NO).',
  ],
  ['LIST [TYPE <type> | ID <id> [<id> ...]]', 'Return information about client connections.'],
  ['UNPAUSE', 'Accepted: no node pauses, and PAUSE is refused.'],
  ['REPLY (ON|OFF|SKIP)', 'Control the replies sent to the current connection.'],
  ['SETINFO (LIB-NAME|LIB-VER) <value>', 'Say which library the current connection is used by.'],
  ['SETNAME <name>', 'Assign the name <name> to the current connection.'],
  ['UNBLOCK <clientid> [TIMEOUT|ERROR]', 'Answer 0: no client is blocked by another.'],
  ['TRACKINGINFO', 'Report tracking status for the current connection.'],
  ['NO-EVICT (ON|OFF)', 'Kept for CLIENT LIST: no client is closed for its memory before its limits.'],
  ['NO-TOUCH (ON|OFF)', 'Kept for CLIENT LIST.'],
];

function setInfo(connection: Connection, args: Args): void {
  const attribute = args.string(2).toLowerCase();
  for (let at = args.starts[3]; at < args.ends[3]; at++) {
    if (args.buffer[at] < 0x21 || args.buffer[at] > 0x7e) {
      throw new HearsayError('ERR', `${attribute} cannot contain spaces, newlines or special characters.`);
    }
  }
  if (args.length(3) > 256) throw new HearsayError('ERR', `${attribute.slice(0, 16)} is at most 256 bytes long.`);
  if (attribute === 'lib-name') connection.libraryName = args.string(3);
  else if (attribute === 'lib-ver') connection.libraryVersion = args.string(3);
  else throw new HearsayError('ERR', `Unrecognized option '${args.quote(2, 128)}'`);
}

function list(connection: Connection, args: Args, nowMs: number): string {
  let shown: ((other: Connection) => boolean) | null = null;
  if (args.count === 4 && args.equalsIgnoreCase(2, 'TYPE')) {
    const normal = isNormalType(args, 3);
    shown = () => normal;
  } else if (args.count > 3 && args.equalsIgnoreCase(2, 'ID')) {
    const ids = new Set<number>();
    for (let index = 3; index < args.count; index++) {
      const id = args.integer(index);
      if (!(id > 0)) throw new HearsayError('ERR', 'Invalid client ID');
      ids.add(id);
    }
    shown = (other) => ids.has(other.id);
  } else if (args.count !== 2) {
    throw syntaxError();
  }
  let text = '';
  for (const other of connection.connections.all()) {
    if (shown === null || shown(other)) text += describe(other, nowMs);
  }
  return text;
}

/** All clients are of type normal; the other types exist and have none. */
function isNormalType(args: Args, index: number): boolean {
  if (args.equalsIgnoreCase(index, 'NORMAL')) return true;
  for (const type of ['MASTER', 'REPLICA', 'SLAVE', 'PUBSUB']) {
    if (args.equalsIgnoreCase(index, type)) return false;
  }
  throw new HearsayError('ERR', `Unknown client type '${args.quote(index, 128)}'`);
}

function kill(connection: Connection, args: Args, reply: Reply): void {
  if (args.count === 3) {
    const address = args.string(2);
    for (const other of connection.connections.all()) {
      if (other.peerAddress !== address) continue;
      close(other, connection);
      reply.ok();
      return;
    }
    throw new HearsayError('ERR', 'No such client');
  }
  if (args.count % 2 !== 0) throw syntaxError();
  const filters: ((other: Connection) => boolean)[] = [];
  let skipMe = true;
  for (let index = 2; index < args.count; index += 2) {
    const value = args.string(index + 1);
    if (args.equalsIgnoreCase(index, 'ID')) {
      const id = args.integer(index + 1);
      if (!(id > 0)) throw new HearsayError('ERR', 'client-id should be greater than 0');
      filters.push((other) => other.id === id);
    } else if (args.equalsIgnoreCase(index, 'ADDR')) {
      filters.push((other) => other.peerAddress === value);
    } else if (args.equalsIgnoreCase(index, 'LADDR')) {
      filters.push((other) => other.localAddress === value);
    } else if (args.equalsIgnoreCase(index, 'TYPE')) {
      const normal = isNormalType(args, index + 1);
      filters.push(() => normal);
    } else if (args.equalsIgnoreCase(index, 'USER')) {
      if (value !== 'default') throw new HearsayError('ERR', `No such user '${args.quote(index + 1, 128)}'`);
    } else if (args.equalsIgnoreCase(index, 'MAXAGE')) {
      const seconds = args.integer(index + 1);
      if (!(seconds > 0)) throw new HearsayError('ERR', 'maxage is not an integer or out of range');
      filters.push((other) => connection.lastCommandMs - other.acceptedMs >= seconds * 1000);
    } else if (args.equalsIgnoreCase(index, 'SKIPME')) {
      if (args.equalsIgnoreCase(index + 1, 'YES')) skipMe = true;
      else if (args.equalsIgnoreCase(index + 1, 'NO')) skipMe = false;
      else throw syntaxError();
    } else {
      throw syntaxError();
    }
  }
  let killed = 0;
  for (const other of [...connection.connections.all()]) {
    if ((skipMe && other === connection) || !filters.every((filter) => filter(other))) continue;
    close(other, connection);
    killed++;
  }
  reply.integer(killed);
}

/** The one that asks still gets its answer. */
function close(other: Connection, self: Connection): void {
  if (other === self) other.closeAfterReplies();
  else other.closeAtOnce();
}

/** One line of CLIENT LIST. */
function describe(connection: Connection, nowMs: number): string {
  const ageSeconds = Math.floor((nowMs - connection.acceptedMs) / 1000);
  const idleSeconds = Math.floor((nowMs - connection.lastCommandMs) / 1000);
  const watches = connection.connections.probe.isWatching(connection);
  const flags = `${watches ? 'O' : ''}${connection.closing ? 'c' : ''}${connection.noEvict ? 'e' : ''}${connection.noTouch ? 'T' : ''}`;
  return (
    `id=${connection.id} addr=${connection.peerAddress} laddr=${connection.localAddress} fd=${connection.id} ` +
    `name=${connection.name} age=${ageSeconds} idle=${idleSeconds} flags=${flags === '' ? 'N' : flags} db=0 ` +
    `sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=${connection.pendingInputBytes} qbuf-free=0 argv-mem=0 multi-mem=0 ` +
    `rbs=0 rbp=0 obl=0 oll=0 omem=${connection.pendingOutputBytes} ` +
    `tot-mem=${connection.pendingInputBytes + connection.pendingOutputBytes} events=r cmd=${connection.lastCommand} user=default redir=-1 ` +
    `resp=${connection.protocol} lib-name=${connection.libraryName} lib-ver=${connection.libraryVersion}\n`
  );
}

export const clientCommand: Command = {
  name: 'client',
  arity: -2,
  flags: CONNECTION,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'connection',
  summary: 'Name, list and close connections',
  run,
};
