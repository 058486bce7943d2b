/**
 * A world for the client without sockets or clocks: scripted servers behind virtual connections, time that moves when a test
 * says so. Each way takes 1 ms. Bytes are delivered from one buffer that is overwritten after each call, as the law of lent
 * bytes allows, so a client that keeps them reads garbage here.
 */
import type { ClientSocket, ClientTimer, Connector, SocketEvents } from '../../src/client/connector.js';

const WAY_MS = 1;

/** A reply as wire bytes, or as the same in latin1; null for none. */
export type Script = (words: string[], raw: Buffer[]) => string | Buffer | null;

export class VirtualServer {
  /** 'refusing' answers connects with a refusal, 'frozen' accepts and says nothing until it is thawed. */
  mode: 'up' | 'refusing' | 'frozen' = 'up';
  /** Every command that was executed, in order. */
  readonly commands: string[][] = [];
  /** Each write that reached it, whole. */
  readonly writes: Buffer[] = [];
  connects = 0;

  constructor(public script: Script) {}

  /** Commands but for the handshake and the slot map. */
  get requests(): string[][] {
    return this.commands.filter(
      ([name]) => !['HELLO', 'CLUSTER', 'CLIENT', 'AUTH', 'HEARSAY.CONSISTENCY'].includes(name),
    );
  }
}

interface Task {
  atMs: number;
  order: number;
  run: () => void;
  cancelled: boolean;
  holds: boolean;
}

export class VirtualConnector implements Connector {
  readonly servers = new Map<string, VirtualServer>();
  readonly sockets: VirtualSocket[] = [];
  /** What `random` gives. */
  chance = 0.5;
  private clockMs = 1000;
  private order = 0;
  private tasks: Task[] = [];
  private turnTasks: (() => void)[] = [];

  addServer(address: string, script: Script): VirtualServer {
    const server = new VirtualServer(script);
    this.servers.set(address, server);
    return server;
  }

  nowMs(): number {
    return this.clockMs;
  }

  random(): number {
    return this.chance;
  }

  connect(host: string, port: number, events: SocketEvents): ClientSocket {
    const socket = new VirtualSocket(this, this.servers.get(`${host}:${port}`) ?? null, events);
    this.sockets.push(socket);
    return socket;
  }

  startTimer(delayMs: number, holds: boolean, run: () => void): ClientTimer {
    const task = { atMs: this.clockMs + delayMs, order: this.order++, run, cancelled: false, holds };
    this.tasks.push(task);
    return {
      cancel: () => {
        task.cancelled = true;
      },
    };
  }

  afterTurn(task: () => void): void {
    this.turnTasks.push(task);
  }

  /** Timers that would keep a process alive. */
  get holding(): number {
    return this.tasks.filter((task) => task.holds && !task.cancelled).length;
  }

  /** Lets `ms` pass, every event at its time, promises in between. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.clockMs + ms;
    for (;;) {
      await this.turn();
      this.tasks = this.tasks.filter((task) => !task.cancelled);
      this.tasks.sort((left, right) => left.atMs - right.atMs || left.order - right.order);
      if (this.tasks.length === 0 || this.tasks[0].atMs > untilMs) break;
      const task = this.tasks.shift() as Task;
      this.clockMs = Math.max(this.clockMs, task.atMs);
      task.run();
    }
    this.clockMs = untilMs;
  }

  /** The connections to a server that are open. */
  open(server: VirtualServer): VirtualSocket[] {
    return this.sockets.filter((socket) => socket.server === server && socket.state === 'open');
  }

  /** Ends a server: its connections break, new ones are refused. */
  kill(server: VirtualServer): void {
    server.mode = 'refusing';
    for (const socket of this.open(server)) socket.break('reset by peer');
  }

  /** A frozen server goes on with what it was sent. */
  thaw(server: VirtualServer): void {
    server.mode = 'up';
    for (const socket of this.open(server)) socket.serve();
  }

  private async turn(): Promise<void> {
    do {
      await new Promise((resolve) => setImmediate(resolve));
      for (const task of this.turnTasks.splice(0)) task();
    } while (this.turnTasks.length > 0);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const lent = Buffer.alloc(64 * 1024);

export class VirtualSocket implements ClientSocket {
  state: 'connecting' | 'open' | 'closed' = 'connecting';
  private inbox = Buffer.alloc(0);

  constructor(
    private readonly world: VirtualConnector,
    readonly server: VirtualServer | null,
    private readonly events: SocketEvents,
  ) {
    this.later(() => {
      if (server === null || server.mode === 'refusing') {
        this.break('connection refused');
        return;
      }
      server.connects++;
      this.state = 'open';
      events.socketConnected();
    });
  }

  write(bytes: Buffer): void {
    const copy = Buffer.from(bytes);
    this.later(() => {
      if (this.state !== 'open') return;
      this.server?.writes.push(copy);
      this.inbox = Buffer.concat([this.inbox, copy]);
      this.serve();
    });
  }

  queuedBytes(): number {
    return 0;
  }

  destroy(why: string): void {
    if (this.state !== 'closed') this.break(why);
  }

  /** The connection ends; the client learns of it soon. */
  break(why: string, byNode = true): void {
    this.state = 'closed';
    this.world.startTimer(0, false, () => this.events.socketClosed(why, byNode));
  }

  /** The same, and the client learns of it before the turn ends. */
  breakNow(why: string): void {
    this.state = 'closed';
    this.events.socketClosed(why, true);
  }

  serve(): void {
    const { server } = this;
    if (server === null || server.mode !== 'up') return;
    for (;;) {
      const request = readRequest(this.inbox);
      if (request === null) return;
      this.inbox = this.inbox.subarray(request.bytes);
      const words = request.words.map((word) => word.toString());
      server.commands.push(words);
      const reply = server.script(words, request.words);
      if (reply !== null) this.deliver(typeof reply === 'string' ? Buffer.from(reply, 'latin1') : reply);
    }
  }

  /** Sends bytes to the client. */
  deliver(bytes: Buffer): void {
    this.later(() => {
      if (this.state !== 'open') return;
      bytes.copy(lent);
      this.events.socketBytes(lent, 0, bytes.length);
      lent.fill(0xee, 0, bytes.length);
    });
  }

  private later(run: () => void): void {
    this.world.startTimer(WAY_MS, false, run);
  }
}

/** One RESP request at the start of `bytes`, if it is all there. */
export function readRequest(bytes: Buffer): { words: Buffer[]; bytes: number } | null {
  let at = 0;
  const line = (): number | null => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return null;
    const number = Number(bytes.toString('latin1', at + 1, end));
    at = end + 2;
    return number;
  };
  const count = line();
  if (count === null) return null;
  const words: Buffer[] = [];
  for (let index = 0; index < count; index++) {
    const length = line();
    if (length === null || bytes.length < at + length + 2) return null;
    words.push(bytes.subarray(at, at + length));
    at += length + 2;
  }
  return { words, bytes: at };
}

/** A bulk string of latin1 text. */
export function bulk(value: string | null): string {
  return value === null ? '_\r\n' : `$${value.length}\r\n${value}\r\n`;
}

/** A server of plain text values, as many clients as it has: GET, SET, DEL, EXISTS, MGET, INCRBY, PTTL. */
export function store(slots: string | (() => string) = '-ERR no cluster\r\n'): Script {
  const values = new Map<string, string>();
  return ([name, key, ...rest], raw) => {
    switch (name) {
      case 'HELLO':
        return '%1\r\n+proto\r\n:3\r\n';
      case 'CLUSTER':
        return typeof slots === 'string' ? slots : slots();
      case 'GET':
        return bulk(values.get(key) ?? null);
      case 'SET':
        values.set(key, raw[2].toString('latin1'));
        return '+OK\r\n';
      case 'DEL':
        return `:${[key, ...rest].filter((other) => values.delete(other)).length}\r\n`;
      case 'EXISTS':
        return `:${values.has(key) ? 1 : 0}\r\n`;
      case 'MGET':
        return `*${1 + rest.length}\r\n${[key, ...rest].map((other) => bulk(values.get(other) ?? null)).join('')}`;
      case 'INCRBY':
        values.set(key, String(Number(values.get(key) ?? '0') + Number(rest[0])));
        return `:${values.get(key)}\r\n`;
      case 'PTTL':
        return values.has(key) ? ':-1\r\n' : ':-2\r\n';
      case 'HEARSAY.CONSISTENCY':
        return '+OK\r\n';
      default:
        return `-ERR unknown command '${name}'\r\n`;
    }
  };
}

/** A CLUSTER SLOTS reply: each row the first and last slot and the ports of its owners on host `node`. */
export function slotMap(rows: [number, number, ...number[]][]): string {
  const lines = rows.map(([first, last, ...ports]) => {
    const nodes = ports.map((port) => `*3\r\n$4\r\nnode\r\n:${port}\r\n$2\r\nid\r\n`);
    return `*${2 + ports.length}\r\n:${first}\r\n:${last}\r\n${nodes.join('')}`;
  });
  return `*${rows.length}\r\n${lines.join('')}`;
}
