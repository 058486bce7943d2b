import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { LocalCluster, type LocalClusterOptions, logLine, runLocalCluster } from '../../cluster/local.js';
import { portTaken } from '../../cluster/ports.js';
import { askNode } from '../../cluster/probe.js';

const launcher = fileURLToPath(new URL('../../bin/hearsay.js', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'hearsay-cluster-'));
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** A port that is free, as are the next and those 10,000 above. */
async function freePorts(): Promise<number> {
  for (let port = 20_000 + (process.pid % 1000) * 10; port < 50_000; port += 10) {
    const wanted = [port, port + 1, port + 10_000, port + 10_001];
    const taken = await Promise.all(wanted.map((each) => portTaken('127.0.0.1', each)));
    if (!taken.includes(true)) return port;
  }
  throw new Error('no free ports');
}

function optionsFor(port: number, name: string): LocalClusterOptions {
  return {
    nodes: 2,
    host: '127.0.0.1',
    port,
    gossipPort: port + 10_000,
    dataDirectory: join(place, name),
    verbose: false,
    command: [process.execPath, launcher, 'serve'],
    flags: ['--max-memory', '16mb'],
    password: null,
  };
}

describe('the local cluster', () => {
  it('starts by one command, shares what is written, and stops at Ctrl-C with code 0 and nothing left', async () => {
    const port = await freePorts();
    const words = ['cluster', '--nodes', '2', '--port', String(port), '--data', join(place, 'command'), '--fresh'];
    const child = spawn(process.execPath, [launcher, ...words, '--max-memory', '16mb'], { stdio: 'pipe' });
    children.push(child);
    let out = '';
    const ready = new Promise<void>((resolve) =>
      child.stdout?.on('data', (bytes) => {
        out += bytes;
        if (out.includes('get greeting')) resolve();
      }),
    );
    await Promise.race([ready, once(child, 'exit')]);
    expect(out).toContain('cluster ready: 2 nodes');
    expect(out).toContain(`redis-cli -p ${port + 1} get greeting`);
    expect(await askNode('127.0.0.1', port, [['SET', 'greeting', 'hello']], 2000)).toEqual(['OK']);
    let seen: unknown;
    while (seen !== 'hello') [seen] = await askNode('127.0.0.1', port + 1, [['GET', 'greeting']], 2000);
    child.kill('SIGINT');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    for (const each of [port, port + 1, port + 10_000]) expect(await portTaken('127.0.0.1', each)).toBe(false);
  });

  it('reports a node that dies, goes on, and brings it back warm', async () => {
    const lines: string[] = [];
    // What the nodes say themselves, as of a stall of this machine, is another matter.
    const note = (line: string) => void (line.includes(' | ') || lines.push(line));
    const cluster = new LocalCluster(optionsFor(await freePorts(), 'death'), note);
    cluster.start();
    try {
      expect(await cluster.untilReady(() => false)).toBeNull();
      const [left, right] = cluster.nodes;
      expect(await askNode('127.0.0.1', right.port, [['SET', 'kept', 'yes']], 2000)).toEqual(['OK']);
      const child = right.process as ChildProcess;
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(lines).toEqual([
        'node-2 died (SIGKILL); the others go on. To start it again:',
        `  ${process.execPath} ${launcher} serve --max-memory 16mb --id node-2 --bind 127.0.0.1 --port ${right.port} ` +
          `--gossip-port ${right.gossipPort} --data ${right.dataDirectory} --join 127.0.0.1:${left.gossipPort}`,
      ]);
      expect(cluster.running()).toEqual([left]);
      expect(await askNode('127.0.0.1', left.port, [['GET', 'kept']], 2000)).toEqual(['yes']);
      const again = spawn('sh', ['-c', `exec ${lines[1]} --log-level error`], { stdio: 'ignore', cwd: tmpdir() });
      children.push(again);
      for (let seen: unknown; seen !== 'yes'; ) {
        [seen] = await askNode('127.0.0.1', right.port, [['GET', 'kept']], 2000).catch(() => [null]);
      }
      expect(await cluster.takenPort()).toMatch(/^port \d+ is in use/);
      const ended = once(again, 'exit');
      await cluster.stop();
      expect(await ended).toEqual([0, null]);
      expect(lines.slice(2)).toEqual([`stopping node-2, started by hand (process ${again.pid})`]);
    } finally {
      await cluster.stop();
    }
    expect(cluster.running()).toEqual([]);
    expect(await cluster.takenPort()).toBeNull();
  });

  it.each([
    [
      'left',
      'left for good: everything was handed over',
      'left for good: others have its place. To have it join anew:',
    ],
    ['was stopped', 'stopped', 'was stopped, and keeps its place for a while; the others go on. To start it again:'],
  ])('tells a node that %s from one that died', async (_, message, told) => {
    const line = JSON.stringify({ level: 'info', msg: message });
    const command = [process.execPath, '-e', `console.log(${JSON.stringify(line)})`, '--'];
    const lines: string[] = [];
    const cluster = new LocalCluster({ ...optionsFor(20_000, 'ended'), nodes: 1, command }, (each) => lines.push(each));
    cluster.start();
    await once(cluster.nodes[0].process as ChildProcess, 'close');
    expect(lines).toEqual([`node-1 ${told}`, `  ${cluster.restartCommand(cluster.nodes[0])}`]);
  });

  it('names the process that holds a data directory of its own where a port is taken, and does not stop it unless it is a node there', async () => {
    const port = await freePorts();
    const taken = createServer().listen(port, '127.0.0.1');
    await once(taken, 'listening');
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    children.push(stranger);
    const lines: string[] = [];
    const cluster = new LocalCluster(optionsFor(port, 'held'), (line) => lines.push(line));
    const [{ dataDirectory }] = cluster.nodes;
    mkdirSync(dataDirectory, { recursive: true });
    writeFileSync(join(dataDirectory, 'lock'), `${stranger.pid}\n`);
    const said = await cluster.takenPort();
    taken.close();
    expect(said).toBe(
      `port ${port} is in use: stop what uses it, or choose other ports with --port; the lock file of ${dataDirectory} names process ${stranger.pid}, which may be a node on it or have nothing to do with it`,
    );
    await cluster.stop();
    expect(lines).toEqual([
      `node-1: the lock file of ${dataDirectory} names process ${stranger.pid}, which may be a node on it or have nothing to do with it`,
    ]);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    const ended = once(stranger, 'exit');
    stranger.kill('SIGKILL');
    await ended;
    expect([cluster.startedByHand(), await cluster.takenPort()]).toEqual([[], null]);
  });

  it('finds a taken port before it starts anything', async () => {
    const port = await freePorts();
    const taken = createServer().listen(port + 10_001, '127.0.0.1');
    await once(taken, 'listening');
    const complaints: string[] = [];
    const complain = (line: string): void => void complaints.push(line);
    const options = { ...optionsFor(port, 'taken'), command: ['this program is not there'] };
    const code = await runLocalCluster(options, complain, complain, () => {});
    taken.close();
    expect(code).toBe(1);
    expect(complaints).toEqual([
      `hearsay: port ${port + 10_001} is in use: stop what uses it, or choose other ports with --port`,
    ]);
  });

  it('gives up with the reason when a node ends before it was ready', async () => {
    const options = {
      ...optionsFor(await freePorts(), 'broken'),
      command: [process.execPath, '-e', 'process.exit(3)'],
    };
    const complaints: string[] = [];
    const code = await runLocalCluster(
      options,
      () => {},
      (line) => complaints.push(line),
      () => {},
    );
    expect(code).toBe(1);
    expect(complaints[0]).toMatch(/^hearsay: node-[12] ended before the cluster was ready$/);
  });
});

describe('a log line in a cluster', () => {
  it('is shown from warnings up, or all of them, or as it stands when it is none', () => {
    const warning = '{"level":"warn","time":"t","node":"node-1","peer":"b","msg":"peer refused"}';
    expect(logLine(warning, false)).toBe('WARN peer refused peer="b"');
    expect(logLine(warning.replace('warn', 'info'), false)).toBeNull();
    expect(logLine(warning.replace('warn', 'info'), true)).toBe('INFO peer refused peer="b"');
    expect(logLine('Error: boom', false)).toBe('Error: boom');
    expect(logLine('', true)).toBeNull();
  });
});
