import { describe, expect, it } from 'vitest';
import { Harness } from '../session/harness.js';

describe('HEARSAY.HOTKEYS', () => {
  it('lists the keys used most with their uses, as many as asked for', () => {
    const harness = new Harness();
    expect(harness.ask('HEARSAY.HOTKEYS')).toBe('*0\r\n');
    harness.host.hot = Array.from({ length: 200 }, (_, at) => [`k${at}`, 1000 - at]);
    expect(harness.ask('HEARSAY.HOTKEYS', 'COUNT', '2')).toBe(
      '*2\r\n*2\r\n$2\r\nk0\r\n:1000\r\n*2\r\n$2\r\nk1\r\n:999\r\n',
    );
    expect(harness.ask('HEARSAY.HOTKEYS')).toMatch(/^\*16\r\n/);
    expect(harness.ask('HEARSAY.HOTKEYS', 'COUNT', '5000')).toMatch(/^\*128\r\n/);
  });

  it('refuses words that mean nothing', () => {
    const harness = new Harness();
    expect(harness.ask('HEARSAY.HOTKEYS', 'COUNT')).toMatch(/^-ERR syntax error/);
    expect(harness.ask('HEARSAY.HOTKEYS', 'COUNT', '0')).toBe(
      '-ERR COUNT must be 1 or more, and 128 at most are listed\r\n',
    );
    expect(harness.ask('HEARSAY.HOTKEYS', 'COUNT', 'x')).toMatch(/^-ERR value is not an integer/);
  });
});
