/** The judges of the library's runs on trial: bugs planted between the library and its world are seen; a run depends on its seed alone. */
import { expect, it } from 'vitest';
import type { ClientSocket, Connector } from '../../../src/client/connector.js';
import type { LibraryStep } from './faults.js';
import { runLibrary } from './library-run.js';

/** A connector of which some doors are others. */
function meddled(connector: Connector, doors: Partial<Connector>): Connector {
  return {
    nowMs: () => connector.nowMs(),
    random: () => connector.random(),
    connect: (host, port, events) => connector.connect(host, port, events),
    startTimer: (delayMs, holds, task) => connector.startTimer(delayMs, holds, task),
    afterTurn: (task) => connector.afterTurn(task),
    ...doors,
  };
}

/** Every write goes through `write`, which is given the socket and the bytes. */
function writing(write: (socket: ClientSocket, bytes: Buffer, connector: Connector) => void) {
  return (connector: Connector): Connector =>
    meddled(connector, {
      connect: (host, port, events) => {
        const socket = connector.connect(host, port, events);
        return {
          write: (bytes) => write(socket, bytes, connector),
          queuedBytes: () => socket.queuedBytes(),
          destroy: (why) => socket.destroy(why),
        };
      },
    });
}

const SLOW: LibraryStep[] = [0, 1, 2].map((node) => ({
  atMs: 300,
  kind: 'unreachable',
  node,
  there: false,
  back: true,
  forMs: 700,
}));

const BUGS: readonly [string, (connector: Connector) => Connector, readonly LibraryStep[], RegExp][] = [
  [
    'a reply goes to a call that asked for something else',
    writing((socket, bytes) => {
      const text = bytes.toString('latin1');
      socket.write(Buffer.from(text.replace(/echo#(\d*)\d#\r/, 'echo#$19#\r'), 'latin1'));
    }),
    [],
    /^reply: echo#/,
  ],
  [
    'a counter is told twice',
    writing((socket, bytes) => {
      socket.write(bytes);
      if (bytes.toString('latin1').startsWith('*3\r\n$6\r\nINCRBY')) socket.write(bytes);
    }),
    [],
    /^twice: INCRBY/,
  ],
  [
    'a write of a session is made again, late',
    writing((socket, bytes, connector) => {
      socket.write(bytes);
      if (bytes.includes('-own') && bytes.includes('\nSET\r\n'))
        connector.startTimer(60, false, () => {
          const own = bytes.subarray(bytes.indexOf('*3\r\n$3\r\nSET'));
          socket.write(own.subarray(0, own.indexOf('*2\r\n')));
        });
    }),
    [],
    /^twice: SET .*-own|^session: /,
  ],
  [
    'a call waits for longer than it may',
    (connector) =>
      meddled(connector, { startTimer: (delayMs, holds, task) => connector.startTimer(delayMs + 100, holds, task) }),
    SLOW,
    /^call: .*: took/,
  ],
  [
    'a call ends before its time is over',
    (connector) =>
      meddled(connector, { startTimer: (delayMs, holds, task) => connector.startTimer(delayMs / 2, holds, task) }),
    SLOW,
    /^call: .*: TIMEOUT with/,
  ],
  [
    'timers are left when the library is closed',
    (connector) =>
      meddled(connector, {
        startTimer: (delayMs, holds, task) => {
          connector.startTimer(delayMs, holds, task);
          return { cancel() {} };
        },
      }),
    [],
    /^close: .* timers set/,
  ],
];

it.each(BUGS)('see that %s', async (_name, meddle, steps, expected) => {
  const { violations } = await runLibrary(3, { meddle, steps });
  expect(violations).toContainEqual(expect.stringMatching(expected));
});

it('have nothing to say of the same runs without a bug', async () => {
  for (const steps of [[], SLOW]) expect((await runLibrary(3, { steps })).violations).toEqual([]);
});

it('a seed played twice goes the same way, and another goes another', async () => {
  const [first, again, other] = [await runLibrary(7), await runLibrary(7), await runLibrary(8)];
  expect(again).toEqual(first);
  expect(other.traceHash).not.toBe(first.traceHash);
});
