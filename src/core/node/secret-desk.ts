/**
 * The care for the key ring while a node runs: it looks once a second whether the secret file is another, takes its keys up, and
 * tells who asks. The spine ticks it; HEARSAY.SECRET and SIGHUP ask for a reload at once.
 * Guarded: a file that is refused leaves the ring as it was, and says so once; every stream goes over to the key in use, and none
 * is read under a key that is gone.
 */
import type { Log } from '../../ports/log.js';
import { HearsayError } from '../base/errors.js';
import { type KeyRing, keyText } from '../gossip/key-ring.js';
import type { Peers } from '../replication/peers.js';

const LOOK_INTERVAL_MS = 1000;

export class SecretDesk {
  reloads = 0;
  failures = 0;
  private nextLookAtMs = 0;

  constructor(
    private readonly ports: { log: Log },
    private readonly ring: KeyRing | null,
    private readonly peers: Peers,
  ) {}

  tick(nowMs: number): void {
    if (this.ring === null || nowMs < this.nextLookAtMs) return;
    this.nextLookAtMs = nowMs + LOOK_INTERVAL_MS;
    if (this.ring.secrets.isStale()) this.reloadOrSay();
  }

  /** Reads the file again; what is wrong goes to the log. */
  reloadOrSay(): void {
    try {
      this.reload();
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      this.ports.log.error('the secret file is refused: the keys stay as they were', { why: error.message });
    }
  }

  /** Reads the file again; returns a line for each key. Throws HearsayError, with the keys as they were. */
  reload(): string[] {
    const { ring } = this;
    if (ring === null) throw new HearsayError('ERR', 'this node has no secret file: start it with --secret-file');
    let changed: boolean;
    try {
      changed = ring.secrets.reload();
    } catch (error) {
      this.failures++;
      throw error;
    }
    if (changed) {
      ring.adopt();
      this.peers.keysChanged();
      this.reloads++;
      const [used, ...accepted] = ring.ids().map(keyText);
      this.ports.log.info('keys of the cluster taken up', { used, accepted: accepted.join(',') });
    }
    return this.list();
  }

  list(): string[] {
    return (this.ring?.ids() ?? []).map((id, index) => `${keyText(id)} ${index === 0 ? 'used' : 'accepted'}`);
  }
}
