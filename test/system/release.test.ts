import { expect, it } from 'vitest';
import { releaseFault } from '../../src/system/release.js';

it('a release whose hashes can be flooded is named in one line, with the one to run instead', () => {
  for (const version of ['20.20.2', '20.21.0', '22.22.2', '24.14.1', '24.15.0', '25.8.2', '26.0.0', '30.1.2']) {
    expect(releaseFault(version), version).toBeNull();
  }
  for (const version of ['20.20.1', '20.9.9', '22.22.1', '24.14.0', '25.8.1', '25.0.0']) {
    const [major] = version.split('.');
    expect(releaseFault(version), version).toMatch(new RegExp(`^Node ${version} .*CVE-2026-21717.*run ${major}\\.`));
  }
  for (const version of ['18.20.0', '21.7.3', '23.11.0']) expect(releaseFault(version)).toContain('22.22.2');
  expect(releaseFault('20.0.0')?.includes('\n')).toBe(false);
});
