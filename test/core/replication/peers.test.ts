/** What of a peer outlives its starts, and what begins anew with each. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import type { HelloFacts } from '../../../src/core/gossip/hello.js';
import { PacketSender } from '../../../src/core/gossip/packet.js';
import { Refusals } from '../../../src/core/gossip/refusals.js';
import { HintPace } from '../../../src/core/replication/hint-pace.js';
import { Peers } from '../../../src/core/replication/peers.js';
import type { Ports } from '../../../src/ports/world.js';
import { silent } from '../wal/harness.js';

function peersOf(): Peers {
  const random = new Random(1, 1);
  return new Peers({ log: silent } as unknown as Ports, {
    sender: new PacketSender([1, 2], 7, null, random),
    facts: {} as HelloFacts,
    ring: null,
    refusals: new Refusals(silent),
    hintBytesPerPeerMax: 1 << 20,
    hintBytesMax: 1 << 20,
    pendingPerPeerMax: 10,
    partitions: 4,
    random,
    mutations: new Set<string>(),
  });
}

describe('a peer', () => {
  it('that starts anew is handed hints at the rate with which one begins, and not where the start before had got to', () => {
    const peers = peersOf();
    const peer = peers.ensure('b');
    peers.rebind(peer, 8, '10.0.0.2', 17_000);
    for (let tick = 0; tick < 200; tick++) peer.pace.allow(tick * 25, 1);
    const reached = peer.pace.bytesPerSecond;
    expect(reached).toBeGreaterThan(new HintPace().bytesPerSecond);
    peers.rebind(peer, 8, '10.0.0.3', 17_000);
    expect(peer.pace.bytesPerSecond).toBe(reached);
    peers.rebind(peer, 9, '10.0.0.3', 17_000);
    expect(peer.pace.bytesPerSecond).toBe(new HintPace().bytesPerSecond);
  });
});
