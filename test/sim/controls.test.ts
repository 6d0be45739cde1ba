// A check that cannot fail is a defect: worlds that break a promise of their ports, and the properties that say so.
import { beforeAll, expect, test } from 'vitest';
import { ProduceError } from '../../src/client/produce-error.ts';
import type { Producer } from '../../src/client/producer.ts';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { Disk, DiskFile } from '../../src/env/disk.ts';
import type { Env } from '../../src/env/env.ts';
import type { Store, StoreOperation } from '../../src/env/store.ts';
import type { SimNode } from '../../src/sim/cluster/node.ts';
import { runClusterScenario } from '../../src/sim/cluster/run.ts';
import { answersLost, scenario, tornTails } from './scenarios.ts';

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
    openNow: (path, mode) => (lies(path) ? change(disk.openNow(path, mode)) : disk.openNow(path, mode)),
  };
}

/** The same file with other methods in places. */
function fileWith(file: DiskFile, methods: Partial<DiskFile>): DiskFile {
  return {
    path: file.path,
    read: (...args) => file.read(...args),
    write: (...args) => file.write(...args),
    sync: (...args) => file.sync(...args),
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
  // Of what was not synced a power cut may leave all.
  const power = { kind: 'power', dt: 1200, durationMs: 300 } as const;
  const faults = [0, 1, 0, 1].map((broker) => ({ ...power, i: BROKER + broker }));
  const { violation } = await runClusterScenario(scenario({ faults, workload: { intervalMs: 5 } }), { tamper: lying });
  // By what the disk has under the high watermark, by a client that misses a record, or by the start that finds less than was durable.
  expect(`${violation?.property}: ${violation?.detail}`).toMatch(
    /^S-D1|^S-D6: .* what it has written|^S-X2: broker\d says partition-offline: /,
  );
});

/** The metadata database with another way to write. */
function withBatch(env: Env, batch: (store: Store, operations: readonly StoreOperation[]) => Promise<void>): Env {
  return {
    ...env,
    openStore: async (path) => {
      const store = await env.openStore(path);
      return {
        get: (key) => store.get(key),
        entries: (range) => store.entries(range),
        close: () => store.close(),
        batch: (operations) => batch(store, operations),
      };
    },
  };
}

test('M-5: a metadata log that is not synced is no log', async () => {
  const lying = (env: Env): Env => withBatch(env, (store, operations) => store.batch(operations, { sync: false }));
  const { violation } = await runClusterScenario(scenario({}), { tamper: lying });
  expect(violation).toMatchObject({ property: expect.stringMatching(/^(M-5|S-R2)$/) });
});

test('M-5: messages do not leave while what they say is being written', async () => {
  const hasty = (env: Env): Env =>
    withBatch(env, async (store, operations) => void store.batch(operations, { sync: true }));
  const { violation } = await runClusterScenario(scenario({}), { tamper: hasty });
  expect(violation).toMatchObject({ property: expect.stringMatching(/^(M-5|S-R2)$/) });
});

test('S-X2: a recovery that leaves the torn end in place is found at the recovery after it', async () => {
  const lying = (env: Env): Env => ({
    ...env,
    disk: withFiles(env.disk, isLog, (file) => fileWith(file, { truncate: async () => {} })),
  });
  const found = new Set<string>();
  for (let seed = 1; seed <= 10 && found.size === 0; seed++) {
    const { violation } = await runClusterScenario(tornTails(seed), { tamper: lying });
    if (violation !== undefined) found.add(`${violation.property}: ${violation.detail}`);
  }
  expect([...found].join()).toMatch(/^S-X2: broker2 says partition-offline/);
});

test('S-D9: a client that sends again as new what may be in the log', async () => {
  const again = (producer: Producer): Pick<Producer, 'send' | 'close' | 'unresolved'> => ({
    get unresolved() {
      return producer.unresolved;
    },
    close: () => producer.close(),
    send: (message) =>
      producer.send(message).catch((error: unknown) => {
        if (error instanceof ProduceError && error.outcome === 'unknown') return producer.send(message);
        throw error;
      }),
  });
  const { violation } = await runClusterScenario(answersLost(1), { sender: again });
  expect(violation).toMatchObject({ property: 'S-D9' });
});

test('R-1.7: a bit that flips in a committed record is reported by the next start, and its record never read', async () => {
  const LOG = '/data/topic-1-0/00000000000000000000.log';
  const rotting = (env: Env, { process }: SimNode): Env => {
    // Its only copy: no plan of faults may do this (safety.md 8.4).
    if (process.name === 'broker2' && process.lives === 3) process.disk.corrupt(LOG, 2000);
    return env;
  };
  const { violation, stats } = await runClusterScenario(
    scenario({
      config: { controllers: 1, brokers: 1, partitions: 1 },
      faults: [{ kind: 'kill', i: 1, dt: 3000, durationMs: 100 }],
      workload: { intervalMs: 5 },
    }),
    { tamper: rotting },
  );
  expect(stats.acknowledged).toBeGreaterThan(100);
  expect(violation).toMatchObject({ property: 'S-X2' });
  expect(violation?.detail).toMatch(/^broker2 says partition-offline: .* is damaged at position/);
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
  const config = { nodeSettings: { 'log.tail.cache.bytes': '0' } };
  const { violation } = await runClusterScenario(scenario({ config }), { tamper: rotten });
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
