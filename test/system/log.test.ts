import { describe, expect, it } from 'vitest';
import { NodeLog } from '../../src/system/log.js';

function logOf(options: {
  level?: 'debug' | 'info' | 'warn';
  format?: 'auto' | 'json' | 'pretty';
  terminal?: boolean;
}): {
  log: NodeLog;
  lines: string[];
} {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line), flush: () => {} };
  const log = new NodeLog(sink, {
    node: null,
    level: options.level ?? 'info',
    format: options.format ?? 'auto',
    terminal: options.terminal ?? false,
  });
  return { log, lines };
}

describe('the log of a node', () => {
  it('is one JSON object a line for a program, with the name once it is known', () => {
    const { log, lines } = logOf({});
    log.info('node started', { keys: 3 });
    log.nameNode('node-1');
    log.warn('clock drifts');
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({ level: 'info', msg: 'node started', keys: 3 });
    expect(second).toMatchObject({ level: 'warn', msg: 'clock drifts', node: 'node-1' });
    expect(lines.every((line) => line.endsWith('}\n'))).toBe(true);
  });

  it('is one plain line each for a person', () => {
    const { log, lines } = logOf({ format: 'pretty' });
    log.nameNode('node-1');
    log.error('peer refused', { peer: 'b c', code: 7 });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} ERROR node-1 peer refused peer="b c" code=7\n$/);
  });

  it('keeps to one plain line whatever a stranger calls itself', () => {
    const { log, lines } = logOf({ format: 'pretty' });
    log.warn('a stream is refused: x\n12:00:00.000 INFO  all is well\u001b[2K\u009b2J\u2028', {
      id: 'b\u001b[31m',
      zone: 'c\u0085',
    });
    expect(lines[0].slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
    expect(lines[0]).toContain('x\\n12:00:00.000 INFO  all is well\\u001b[2K\\u009b2J\\u2028');
    expect(lines[0]).toContain('id=b\\u001b[31m zone=c\\u0085');
  });

  it('leaves out what is less severe than asked for', () => {
    const { log, lines } = logOf({ level: 'warn' });
    log.debug('a');
    log.info('b');
    log.warn('c');
    expect(lines.length).toBe(1);
  });

  it('never shows a secret, and never throws', () => {
    const { log, lines } = logOf({});
    log.info('secretive', { password: 'hush', nested: { secret: 'hush' } });
    expect(lines[0]).not.toContain('hush');
    expect(lines[0]).toContain('(hidden)');
    const circular: Record<string, unknown> = { big: 1n };
    circular.self = circular;
    log.info('odd', circular);
    expect(lines[1]).toContain('odd');
  });
});
