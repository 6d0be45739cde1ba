// Directed scenarios of the partition log (safety.md, appendix B): DS-24, DS-25, and topics that are pruned and compacted under
// kills and power cuts.
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import { EnvError } from '../../src/env/error.ts';
import { LogDirectory } from '../../src/log/log-directory.ts';
import type { PartitionLog } from '../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../src/log/storage.ts';
import { DATA, SimWorld } from '../prop/log/sim-world.ts';
import { batch, CONFIG } from '../unit/log/fixture.ts';
import { runWell, scenario } from './scenarios.ts';

beforeAll(loadCodecs);

const META = {
  clusterId: 'AAAAAAAAAAAAAAAAAAAAAg',
  directoryId: 'AAAAAAAAAAAAAAAAAAAAAw',
  nodeId: 1,
  version: 1,
} as const;
const [T1, T2] = ['AAAAAAAAAAAAAAAAAAAAAQ', 'AAAAAAAAAAAAAAAAAAAABA'];
const SMALL = { ...CONFIG, segmentBytes: 1000 };

async function formatted(): Promise<SimWorld> {
  const world = new SimWorld(1);
  await world.finish(writeMetaProperties(world.deps().disk, DATA, META));
  return world;
}

function open(world: SimWorld): Promise<LogDirectory> {
  return world.finish(LogDirectory.open(world.deps(), DATA, { nodeId: 1 }));
}

/** Some records in several segments, all of them durable. */
async function filled(world: SimWorld, directory: LogDirectory, topic: string, id: string): Promise<PartitionLog> {
  const log = await world.finish(directory.openLog(topic, id, 0, SMALL));
  for (let i = 0; i < 20; i++) log.append(batch({ count: 2, bytes: 100 }), 0);
  await world.finish(log.flush());
  return log;
}

async function failureOf(world: SimWorld, promise: Promise<unknown>): Promise<EnvError> {
  const outcome = await world.finish(promise.catch((error: unknown) => error));
  expect(outcome).toBeInstanceOf(EnvError);
  return outcome as EnvError;
}

describe('DS-24', () => {
  test.each([
    ['async', 'power-cut'],
    ['sync', 'power-cut'],
    ['sync', 'kill'],
  ] as const)(
    'R-14.1: a short write fences the log; what was durable is there when the disk has room again (%s, %s)',
    async (flushMode, how) => {
      const world = await formatted();
      const log = await filled(world, await open(world), 'a', T1);
      log.updateConfig({ ...SMALL, flushMode });
      world.simDisk.settings.capacityBytes = world.simDisk.usedBytes + 100;
      const append = (): unknown => log.append(batch({ count: 2, bytes: 300 }), 0);
      if (flushMode === 'async') expect(append).toThrow(EnvError);
      else {
        append();
        await failureOf(world, log.flush());
      }
      expect(append).toThrow(EnvError);
      expect(log.flushedEndOffset).toBe(40);
      world.crash(how);
      world.simDisk.settings.capacityBytes = Number.POSITIVE_INFINITY;
      const again = await world.finish((await open(world)).openLog('a', T1, 0, SMALL));
      expect(again.logEndOffset).toBe(40);
    },
  );

  test('R-14.2: after a failed sync no flush succeeds, and a later one of the process after it is not believed blindly', async () => {
    const world = await formatted();
    const log = await filled(world, await open(world), 'a', T1);
    log.append(batch({ count: 2 }), 0);
    world.simDisk.failNext('sync', '/data/a-0');
    expect((await failureOf(world, log.flush())).code).toBe('IO');
    expect((await failureOf(world, log.flush())).code).toBe('IO');
    expect(log.flushedEndOffset).toBe(40);
    // The page cache still has the records; only because they are written again does the power cut leave them.
    world.crash('kill');
    const second = await world.finish((await open(world)).openLog('a', T1, 0, SMALL));
    const { logEndOffset } = second;
    expect(second.flushedEndOffset).toBe(logEndOffset);
    world.crash('power-cut');
    const third = await world.finish((await open(world)).openLog('a', T1, 0, SMALL));
    expect(third.logEndOffset).toBe(logEndOffset);
  });
});

describe('DS-25', () => {
  test('D-10.2, D-10.4: a flipped bit in the middle of a log is told with file and position, nothing is cut, the rest serves', async () => {
    const world = await formatted();
    const directory = await open(world);
    await filled(world, directory, 'a', T1);
    await filled(world, directory, 'b', T2);
    world.crash('kill');
    const path = `${DATA}/a-0/00000000000000000000.log`;
    const before = world.simDisk.contentOf(path);
    world.simDisk.corrupt(path, 100, 4);
    for (let start = 0; start < 2; start++) {
      const again = await open(world);
      const failure = await failureOf(world, again.openLog('a', T1, 0, SMALL));
      expect(failure.code).toBe('CORRUPT');
      expect(failure.message).toContain(`${path} is damaged at position 0`);
      const other = await world.finish(again.openLog('b', T2, 0, SMALL));
      expect(other.logEndOffset).toBe(40);
      expect((await world.finish(other.read(0, 10_000, 40, true))).length).toBeGreaterThan(500);
      world.crash('kill');
    }
    expect(world.simDisk.contentOf(path).length).toBe(before.length);
    expect([...world.simDisk.tree.directory(`${DATA}/a-0`).entries.keys()].length).toBeGreaterThan(3);
  });
});

test('D-9: a pruned and a compacted topic keep what they must under kills, power cuts and full disks', async () => {
  const at = (kind: 'kill' | 'power' | 'stop' | 'fullDisk', i: number) => ({ kind, i, j: 3, dt: 900, durationMs: 300 });
  const verdict = await runWell(
    scenario({
      workload: { keptEveryMs: 25 },
      faults: [at('kill', 3), at('power', 4), at('power', 3), at('stop', 3), at('fullDisk', 3), at('kill', 4)],
      config: { faultPhaseMs: 8000 },
    }),
  );
  const { deletions, logged } = verdict.stats;
  expect(deletions).toBeGreaterThan(2);
  for (const event of ['log-compacted', 'segments-deleted', 'log-start-advanced']) {
    expect(logged.get(event) ?? 0, event).toBeGreaterThan(1);
  }
});
