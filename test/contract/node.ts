// The real world for the contract suites: temporary folders, loopback, real time.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEnv } from '../../src/node/env.ts';
import type { Harness } from './harness.ts';

export const nodeHarness: Harness = {
  run: async (body) => {
    const directory = await mkdtemp(join(tmpdir(), 'kvorum-contract-'));
    const env = createEnv({ level: 'silent' });
    try {
      await body({ env, peer: env, host: '127.0.0.1', directory });
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
};
