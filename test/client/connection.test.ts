/** One connection over a socket and timers that the test moves by hand: when a handshake is given up. */
import { expect, it } from 'vitest';
import { Connection } from '../../src/client/connection.js';
import type { ClientSocket, Connector, SocketEvents } from '../../src/client/connector.js';

/** A connection in its handshake, the timers and turn ends it asked for, and why it was closed. */
function open() {
  const timers: (() => void)[] = [];
  const turns: (() => void)[] = [];
  const closed: string[] = [];
  const socket: ClientSocket = { write: () => undefined, queuedBytes: () => 0, destroy: () => undefined };
  let events: SocketEvents | null = null;
  const connector: Connector = {
    nowMs: () => 0,
    random: () => 0.5,
    connect: (_host, _port, told) => {
      events = told;
      return socket;
    },
    startTimer: (_delayMs, _holds, task) => {
      timers.push(task);
      return { cancel: () => undefined };
    },
    afterTurn: (task) => {
      turns.push(task);
    },
  };
  const owner = { connectionReady: () => undefined, connectionClosed: (reason: Error) => closed.push(reason.message) };
  const greeting = { username: 'default', password: null, name: 'test', level: null };
  const options = { ...greeting, host: 'node', port: 1, connectTimeoutMs: 1000, maxInFlight: 10 };
  const connection = new Connection({ connector, owner }, options);
  return { connection, events: events as unknown as SocketEvents, timers, turns, closed };
}

it('gives a handshake up when its time is over and nothing has come', () => {
  const { timers, turns, closed } = open();
  timers.shift()?.();
  expect(closed).toEqual([]);
  turns.shift()?.();
  expect(closed).toEqual(['the server gave no answer to the handshake']);
});

it('reads what waits in the socket before it gives a handshake up, and then waits for the next step as long', () => {
  const { connection, events, timers, turns, closed } = open();
  timers.shift()?.();
  events.socketConnected();
  turns.shift()?.();
  expect([closed, timers.length]).toEqual([[], 1]);
  timers.shift()?.();
  const reply = Buffer.from('%0\r\n');
  events.socketBytes(reply, 0, reply.length);
  turns.shift()?.();
  expect([closed, timers.length]).toEqual([[], 0]);
  expect(connection.send(Buffer.from('x'), { commands: 1, replied: () => undefined, lost: () => undefined })).toBe(
    true,
  );
});
