/** The words of the wire and the version that names them: a build of other words must not be taken for one of these. */
import { expect, it } from 'vitest';
import * as frames from '../../../src/core/gossip/frames.js';
import * as packet from '../../../src/core/gossip/packet.js';
import * as messages from '../../../src/core/membership/messages.js';
import * as requests from '../../../src/core/replication/requests.js';

function wordsOf(room: Record<string, unknown>, of: RegExp): string {
  const words = Object.entries(room).filter(
    (entry): entry is [string, number] => typeof entry[1] === 'number' && of.test(entry[0]),
  );
  return words
    .sort(([, left], [, right]) => left - right)
    .map(([name, number]) => `${name.replace(of, '')} ${number}`)
    .join(', ');
}

it('has a new version with every word that is added, renumbered or taken away', () => {
  const words = {
    version: packet.WIRE.newest,
    sections: wordsOf(packet, /^SECTION_(?!BYTES)/),
    frames: wordsOf(frames, /^FRAME_(?!HEADER|BODY|KINDS)/),
    messages: wordsOf(messages, /^(?!GOSSIP_BYTES)/),
    requests: wordsOf(requests, /^REQUEST_(?!HEADER)/),
    statuses: wordsOf(requests, /^STATUS_/),
  };
  expect(words).toEqual({
    version: 4,
    sections: 'PADDING 0, CONTROL 1, RECORDS 2, ACKS 3, HEARD 4',
    frames:
      'HELLO 1, CONTROL 2, RECORDS 3, ACKS 4, REQUEST 5, RESPONSE 6, RING 7, ROOTS 8, LEAVES 9, LIST 10, WANT 11, ' +
      'SKETCH 12, FLOORS 13, GONE 14, VECTOR 15, PULL 16, SLICE 17, READY 18, HEAR 19, HEARD 20, CONFIRM 30, REKEY 31',
    messages:
      'PING 1, ACK 2, PING_REQUEST 3, NACK 4, FORWARDED_ACK 5, UPDATE 6, PUSH_PULL_REQUEST 7, PUSH_PULL_REPLY 8',
    requests: 'FORWARD 1, READ 2, VERSION 3, WAIT 4, WANT 5',
    statuses: 'OK 0, NEWER 1, OLDER 2, UNKNOWN 3, REFUSED 4, RING_DIFFERS 5, BEHIND 6',
  });
});
