/** What a datagram of the real node carries of rumors: none of them twice. */
import { expect, it } from 'vitest';
import { PACKET_HEADER_BYTES, SECTION_CONTROL } from '../../src/core/gossip/packet.js';
import { PacketWatch } from '../../src/sim/packets.js';
import { Scenario } from './scenario.js';

const UPDATE_STARTS = [0x93, 0x06];

/** The updates of members in a datagram in the clear, as text. */
function updatesIn(bytes: Buffer): string[] {
  const updates: string[] = [];
  for (let at = PACKET_HEADER_BYTES; at < bytes.length; ) {
    const end = at + 4 + bytes.readUInt16LE(at + 2);
    const body = bytes.subarray(at + 4, end);
    if (bytes[at] === SECTION_CONTROL && UPDATE_STARTS.every((byte, index) => body[index] === byte))
      updates.push(body.toString('latin1'));
    at = end;
  }
  return updates;
}

class Updates extends PacketWatch {
  seen = 0;
  twice = 0;

  override delivered(node: number, bytes: Buffer): void {
    super.delivered(node, bytes);
    const updates = updatesIn(bytes);
    this.seen += updates.length;
    this.twice += updates.length - new Set(updates).size;
  }
}

it('the gossip of a member that died tells nobody the same thing twice in one datagram, which would use up its transmissions', () => {
  const scenario = new Scenario({ nodes: 5, seed: 3 });
  const updates = new Updates();
  scenario.cluster.network.packets = updates;
  scenario.kill(4);
  scenario.until(30_000, () => (scenario.fact(0, 'members_alive') === '4' ? null : 'a dead member is held alive'));
  scenario.rest(2_000);
  expect(updates.seen).toBeGreaterThan(20);
  expect(updates.twice).toBe(0);
});
