/** The Node world keeps the laws of the ports, with and without what reaches below net.Socket. */
import { describe, expect, it } from 'vitest';
import type { Ports } from '../../src/ports/world.js';
import { BelowNet } from '../../src/system/below-net.js';
import { NodeWorld } from '../../src/system/world.js';
import { describeDatagrams } from '../contract/datagrams.js';
import { Recorder } from '../contract/recorder.js';
import { describeStreams } from '../contract/streams.js';
import type { ContractHost, ContractWorld } from '../contract/worlds.js';
import { silentLog } from './recorder.js';

const PATIENCE_MS = 20_000;

async function createHost(plainSockets: boolean): Promise<{ host: ContractHost; stop: () => Promise<void> }> {
  const bind = '127.0.0.1';
  const ports = { bind, port: 0, gossipPort: 0, tickIntervalMs: 25 };
  const world = new NodeWorld(silentLog, { ...ports, faultInjection: false, plainSockets });
  await world.listen();
  const recorder = new Recorder();
  world.run(recorder, () => {});
  const host = { ports: world.portsOver({} as Ports['disk']), recorder, address: bind, gossipPort: world.gossipPort };
  return { host, stop: () => world.stop() };
}

function createPair(plainSockets: boolean): () => Promise<ContractWorld> {
  return async () => {
    const left = await createHost(plainSockets);
    const right = await createHost(plainSockets);
    return {
      left: left.host,
      right: right.host,
      until: async (fact) => {
        const end = performance.now() + PATIENCE_MS;
        while (!fact()) {
          if (performance.now() > end) throw new Error('the fact does not come true');
          await new Promise((resolve) => setImmediate(resolve));
        }
      },
      close: async () => {
        await left.stop();
        await right.stop();
      },
    };
  };
}

describe('below net.Socket', () => {
  it('has its doors on this Node', () => {
    expect(BelowNet.open()).not.toBeNull();
  });
});

describeDatagrams('the Node world', createPair(false));
describeStreams('the Node world', createPair(false));
describeStreams('the Node world with plain sockets', createPair(true));
