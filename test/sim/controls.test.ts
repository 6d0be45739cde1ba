// A check that cannot fail is a defect: worlds that break a promise of their ports, and the properties that say so.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { Disk, DiskFile } from '../../src/env/disk.ts';
import type { Env } from '../../src/env/env.ts';
import type { Store } from '../../src/env/store.ts';
import { runClusterScenario } from '../../src/sim/cluster/run.ts';
import { scenario } from './scenarios.ts';

beforeAll(loadCodecs);

const BROKER = 3;

/** A disk on which the files that `lies` names are changed by `change`. */
function withFiles(disk: Disk, lies: (path: string) => boolean, change: (file: DiskFile) => DiskFile): Disk {
  return {
    ...disk,
    open: async (path, mode) => {
      const file = await disk.open(path, mode);
      return lies(path) ? change(file) : file;
    },
    createNow: (path) => (lies(path) ? change(disk.createNow(path)) : disk.createNow(path)),
  };
}

/** The same file with other methods in places. */
function fileWith(file: DiskFile, methods: Partial<DiskFile>): DiskFile {
  return {
    path: file.path,
    read: (...args) => file.read(...args),
    write: (...args) => file.write(...args),
    sync: () => file.sync(),
    truncate: (size) => file.truncate(size),
    size: () => file.size(),
    close: () => file.close(),
    ...methods,
  };
}

const isLog = (path: string): boolean => path.endsWith('.log');

test('S-D1: a disk whose sync does nothing loses acknowledged records at a power cut', async () => {
  const lying = (env: Env): Env => ({
    ...env,
    disk: withFiles(env.disk, isLog, (file) => fileWith(file, { sync: async () => {} })),
  });
  const faults = [{ kind: 'power', i: BROKER, dt: 1500, durationMs: 300 }] as const;
  const { violation } = await runClusterScenario(scenario({ faults, workload: { intervalMs: 5 } }), { tamper: lying });
  expect(violation).toMatchObject({ property: 'S-D1' });
});

test('a metadata log that is not synced forgets what it said, at a power cut of all controllers', async () => {
  const lying = (env: Env): Env => ({
    ...env,
    openStore: async (path) => {
      const store = await env.openStore(path);
      const unsynced: Store = {
        get: (key) => store.get(key),
        entries: (range) => store.entries(range),
        close: () => store.close(),
        batch: (operations) => store.batch(operations, { sync: false }),
      };
      return unsynced;
    },
  });
  const faults = [0, 1, 2].map((i) => ({ kind: 'power', i, dt: i === 0 ? 1500 : 0, durationMs: 300 }) as const);
  const found = new Set<string>();
  for (const seed of [1, 2, 3]) {
    const wanted = scenario({ seed, faults, workload: { createEveryMs: 200 } });
    const { violation } = await runClusterScenario(wanted, { tamper: lying });
    if (violation !== undefined) found.add(violation.property);
  }
  expect([...found].filter((property) => /^S-[RM]/.test(property)).length, [...found].join()).toBeGreaterThan(0);
});

test('S-X2: bytes that the disk reads wrong never reach a reader as records', async () => {
  const rotten = (env: Env): Env => ({
    ...env,
    disk: withFiles(env.disk, isLog, (file) =>
      fileWith(file, {
        read: async (target, start, length, position) => {
          const count = await file.read(target, start, length, position);
          if (count > 100) target[start + 90] = (target[start + 90] ?? 0) ^ 1;
          return count;
        },
      }),
    ),
  });
  const { violation } = await runClusterScenario(scenario({}), { tamper: rotten });
  expect(violation?.detail).toMatch(/CRC|BAD_RESPONSE|damaged|L-C1/);
});

test('S-X1: a run that depends on anything else has another hash', async () => {
  let draws = 0;
  const restless = (env: Env): Env => ({
    ...env,
    random: {
      uint32: (key) => env.random.uint32(key),
      bytes: (key, count) => env.random.bytes(key, count),
      below: (key, bound) => (env.random.below(key, bound) + draws++) % bound,
    },
  });
  const wanted = scenario({ faults: [{ kind: 'kill', i: 0, dt: 500 }] });
  const hashes = [];
  for (let run = 0; run < 2; run++) {
    const { ok, hash } = await runClusterScenario(wanted, { tamper: restless });
    expect(ok).toBe(true);
    hashes.push(hash);
  }
  expect(hashes[0]).not.toBe(hashes[1]);
});
