import { appendFile, copyFile, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { DiskFile, OpenMode } from '../../../src/env/disk.ts';
import { EnvError } from '../../../src/env/error.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { createDisk } from '../../../src/node/disk.ts';
import { batch, CONFIG, deps, quietLogger, tempFolder } from './fixture.ts';

const SMALL = { ...CONFIG, segmentBytes: 1700, indexIntervalBytes: 100 };
const BATCHES = 12;
/** Four batches of three records a segment; two epochs; one producer. */
const BATCH_BYTES = batch({ count: 3, bytes: 100, producerId: 1, producerEpoch: 0, baseSequence: 0 }).length;

function path(folder: string, base: number, kind = 'log'): string {
  return `${folder}/${String(base).padStart(20, '0')}.${kind}`;
}

/** A log that its process left as it was: nothing closed. */
async function writeLog(): Promise<string> {
  const folder = await tempFolder();
  const log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: true, recoveryPoint: 0 });
  for (let i = 0; i < BATCHES; i++) {
    log.append(batch({ count: 3, bytes: 100, producerId: 1, producerEpoch: 0, baseSequence: i * 3 }), i < 6 ? 1 : 2);
  }
  await log.flush();
  await log.discard();
  return folder;
}

async function recover(folder: string, recoveryPoint = 0, events: string[] = []): Promise<PartitionLog> {
  return PartitionLog.open(deps(events), folder, SMALL, { cleanShutdown: false, recoveryPoint });
}

async function refusal(folder: string, recoveryPoint = 0): Promise<string> {
  const before = await contents(folder);
  const error = await recover(folder, recoveryPoint).then(
    () => undefined,
    (thrown: unknown) => thrown as EnvError,
  );
  expect(error?.code).toBe('CORRUPT');
  expect(await contents(folder), 'nothing is changed').toEqual(before);
  return error?.message ?? '';
}

async function contents(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log'));
  return Promise.all(names.map(async (name) => `${name} ${(await readFile(`${folder}/${name}`)).toString('base64')}`));
}

async function edit(file: string, change: (bytes: Buffer) => void): Promise<void> {
  const bytes = await readFile(file);
  change(bytes);
  await writeFile(file, bytes);
}

/** Appends go on where the log ends, and the producer is remembered. */
async function checkGoesOn(log: PartitionLog): Promise<void> {
  const end = log.logEndOffset;
  const next = batch({ count: 3, bytes: 100, producerId: 1, producerEpoch: 0, baseSequence: end });
  if (end > 0)
    expect(log.append(batch({ producerId: 1, producerEpoch: 0, baseSequence: end + 5 }), 3).kind).toBe('refused');
  expect(log.append(next, 3)).toMatchObject({ kind: 'appended', baseOffset: end });
  await log.flush();
  await log.close();
}

describe('D-10.1 after an unclean stop', () => {
  test('an intact log is as it was: batches, indexes, epochs, producers', async () => {
    for (const recoveryPoint of [0, 5, 12, 13, 30, 36]) {
      const log = await recover(await writeLog(), recoveryPoint);
      expect([log.logEndOffset, log.flushedEndOffset]).toEqual([36, 36]);
      expect(log.epochs.entries).toEqual([
        { epoch: 1, startOffset: 0 },
        { epoch: 2, startOffset: 18 },
      ]);
      expect(log.producers.get(1)?.batches.map((known) => known.firstOffset)).toEqual([21, 24, 27, 30, 33]);
      await checkGoesOn(log);
    }
  });

  test('D-10.3 the file ends in the middle of a batch: cut, with all later segments', async () => {
    for (const size of [2 * BATCH_BYTES + 1, 2 * BATCH_BYTES + 60, 2 * BATCH_BYTES + 100, 3 * BATCH_BYTES - 1]) {
      const folder = await writeLog();
      const events: string[] = [];
      await truncate(path(folder, 12), size);
      const log = await recover(folder, 18, events);
      expect(log.logEndOffset).toBe(18);
      expect(events).toContain('log-recovered-with-cut');
      expect((await readFile(path(folder, 12))).length).toBe(2 * BATCH_BYTES);
      expect(await readdir(folder)).not.toContain('00000000000000000024.log');
      // Epoch 2 had begun here; that its records are gone does not undo that.
      expect(log.epochs.entries.at(-1)).toEqual({ epoch: 2, startOffset: 18 });
      await checkGoesOn(log);
    }
  });

  test('D-10.3 a sector that never reached the disk: cut, though intact batches follow', async () => {
    const folder = await writeLog();
    await edit(path(folder, 24), (bytes) => bytes.fill(0, 512, 1024));
    const log = await recover(folder, 24);
    expect(log.logEndOffset).toBe(27);
    await checkGoesOn(log);
  });

  test('a whole segment is missing at the end of the one before: cut', async () => {
    const folder = await writeLog();
    await truncate(path(folder, 12), 3 * BATCH_BYTES);
    const log = await recover(folder, 21);
    expect(log.logEndOffset).toBe(21);
    await checkGoesOn(log);
  });

  test('an empty last segment stays the active one', async () => {
    const folder = await writeLog();
    await truncate(path(folder, 24), 0);
    const log = await recover(folder, 24);
    expect(log.logEndOffset).toBe(24);
    await checkGoesOn(log);
  });
});

describe('D-10.2, D-10.4 what was durable is never cut silently', () => {
  test('a flipped bit with intact batches behind it is refused, wherever it is', async () => {
    for (const at of [9, 16, 18, 24, 60, 61, 200, BATCH_BYTES - 2]) {
      const folder = await writeLog();
      await edit(path(folder, 12), (bytes) => {
        bytes[BATCH_BYTES + at] = (bytes[BATCH_BYTES + at] as number) ^ 0x40;
      });
      const message = await refusal(folder);
      expect(message).toContain(`00000000000000000012.log is damaged at position ${BATCH_BYTES} (offset 15)`);
      expect(message).toContain(`an intact batch follows at position ${2 * BATCH_BYTES}`);
    }
  });

  test('a flipped bit in the base offset, which no CRC covers: the batch goes beyond its segment, or the next one goes back', async () => {
    for (const [at, batches] of [
      [0, 1],
      [3, 1],
      [4, 2],
      [6, 2],
    ] as const) {
      for (const base of [12, 24]) {
        const folder = await writeLog();
        await edit(path(folder, base), (bytes) => {
          bytes[BATCH_BYTES + at] = (bytes[BATCH_BYTES + at] as number) ^ 0x40;
        });
        const message = await refusal(folder, 0);
        expect(message).toContain(`.log is damaged at position ${batches * BATCH_BYTES}`);
        expect(message).toContain('no crash does that');
      }
    }
  });

  test('a flipped bit in the leader epoch of the last batch but one: the last is not taken for a torn one', async () => {
    const folder = await writeLog();
    await edit(path(folder, 24), (bytes) => bytes.writeInt8(0x40, 2 * BATCH_BYTES + 13));
    expect(await refusal(folder)).toContain('no crash does that');
  });

  test('a flipped bit in the leader epoch, which no CRC covers, shows in the batch that follows', async () => {
    const folder = await writeLog();
    await edit(path(folder, 12), (bytes) => bytes.writeInt8(0x40, BATCH_BYTES + 13));
    expect(await refusal(folder)).toContain('a batch has leader epoch 2 after');
  });

  test('a flipped bit in the last batch of a segment, with intact segments behind it, is refused', async () => {
    const folder = await writeLog();
    await edit(path(folder, 12), (bytes) => bytes.fill(0x55, 3 * BATCH_BYTES + 100, 3 * BATCH_BYTES + 101));
    expect(await refusal(folder)).toContain('an intact batch follows in');
  });

  test('damage in the very last batch cannot be told from a torn end: cut, unless it was durable', async () => {
    const folder = await writeLog();
    await edit(path(folder, 24), (bytes) => bytes.fill(0x55, 3 * BATCH_BYTES + 100, 3 * BATCH_BYTES + 101));
    expect(await refusal(folder, 36)).toContain('it was durable up to offset 36');
    const log = await recover(folder, 33);
    expect(log.logEndOffset).toBe(33);
    await checkGoesOn(log);
  });

  test('below the recovery point nothing may be torn or missing', async () => {
    const shorter = await writeLog();
    await truncate(path(shorter, 24), 3 * BATCH_BYTES + 10);
    expect(await refusal(shorter, 34)).toContain('it was durable up to offset 34');
    const ended = await writeLog();
    await truncate(path(ended, 24), 3 * BATCH_BYTES);
    expect(await refusal(ended, 34)).toContain('acknowledged records are lost');
    const gap = await writeLog();
    await truncate(path(gap, 12), 3 * BATCH_BYTES);
    expect(await refusal(gap, 22)).toContain('acknowledged records are lost');
    const gone = await writeLog();
    for (const base of [0, 12, 24]) await unlink(path(gone, base));
    expect(await refusal(gone, 1)).toContain('no segments');
  });

  test('a segment that is missing in the middle is refused', async () => {
    const folder = await writeLog();
    await unlink(path(folder, 12));
    for (const recoveryPoint of [23, 24]) {
      expect(await refusal(folder, recoveryPoint)).toContain('acknowledged records are lost');
    }
  });

  test('a segment that is there twice, under another number, is refused', async () => {
    for (const recoveryPoint of [0, 24]) {
      const folder = await writeLog();
      await copyFile(path(folder, 12), path(folder, 18));
      expect(await refusal(folder, recoveryPoint)).toContain(`00000000000000000018.log is damaged at position 0`);
    }
  });
});

describe('gaps', () => {
  /** Offsets 0-2, 6-8 and 9-11 in the first segment, 24-26 in the second. */
  async function writeCompacted(): Promise<string> {
    const folder = await tempFolder();
    const of = (baseOffset: number) =>
      batch({
        ...{ count: 3, producerId: 1, producerEpoch: 0 },
        baseSequence: baseOffset,
        baseOffset,
        partitionLeaderEpoch: 1,
      });
    await writeFile(path(folder, 0), Buffer.concat([of(0), of(6), of(9)]));
    await writeFile(path(folder, 24), of(24));
    return folder;
  }

  test('inside a segment nothing is missing, above the recovery point and below it', async () => {
    const folder = await writeCompacted();
    await unlink(path(folder, 24));
    for (const recoveryPoint of [0, 5, 12]) {
      const events: string[] = [];
      const log = await recover(folder, recoveryPoint, events);
      expect([log.logEndOffset, events]).toEqual([12, []]);
      await log.discard();
    }
  });

  test('between segments the end of the older one is lost: cut, unless it was durable', async () => {
    const log = await recover(await writeCompacted(), 12);
    expect(log.logEndOffset).toBe(12);
    await checkGoesOn(log);
    for (const recoveryPoint of [13, 23, 24]) {
      expect(await refusal(await writeCompacted(), recoveryPoint)).toContain('acknowledged records are lost');
    }
  });
});

describe('room that was made for records', () => {
  const ROOM = 3 * 512 * 1024;

  test('zeros behind the last batch are no loss, and no warning', async () => {
    for (const room of [1, 60, 61, 1000, ROOM]) {
      const folder = await writeLog();
      await appendFile(path(folder, 24), Buffer.alloc(room));
      const events: string[] = [];
      const log = await recover(folder, 36, events);
      expect([log.logEndOffset, events]).toEqual([36, []]);
      expect((await readFile(path(folder, 24))).length).toBe(4 * BATCH_BYTES);
      await checkGoesOn(log);
    }
  });

  test('nor in a segment that was sealed, if the next one continues it', async () => {
    const folder = await writeLog();
    await appendFile(path(folder, 12), Buffer.alloc(ROOM));
    const events: string[] = [];
    const log = await recover(folder, 20, events);
    expect([log.logEndOffset, events]).toEqual([36, []]);
    expect((await readFile(path(folder, 12))).length).toBe(4 * BATCH_BYTES);
    await checkGoesOn(log);
  });

  test('an active segment of zeros is empty', async () => {
    const folder = await writeLog();
    await writeFile(path(folder, 36), Buffer.alloc(ROOM));
    const events: string[] = [];
    const log = await recover(folder, 0, events);
    expect([log.logEndOffset, events]).toEqual([36, []]);
    await checkGoesOn(log);
  });

  test('a torn batch before them counts, they do not', async () => {
    const folder = await writeLog();
    await edit(path(folder, 24), (bytes) => bytes.fill(0, 3 * BATCH_BYTES + 100));
    await appendFile(path(folder, 24), Buffer.alloc(ROOM));
    const facts: unknown[] = [];
    const logger = { ...quietLogger(), warn: (_: string, fact: unknown) => void facts.push(fact) };
    const owner = { ...deps(), logger: { ...logger, child: () => logger } };
    const log = await PartitionLog.open(owner, folder, SMALL, { cleanShutdown: false, recoveryPoint: 33 });
    expect(log.logEndOffset).toBe(33);
    expect(facts).toEqual([expect.objectContaining({ cutBytes: expect.toSatisfy((n: number) => n > 60 && n <= 100) })]);
    await checkGoesOn(log);
  });

  test('below the recovery point zeros are damage', async () => {
    const folder = await writeLog();
    await edit(path(folder, 24), (bytes) => bytes.fill(0, 3 * BATCH_BYTES));
    expect(await refusal(folder, 36)).toContain(`damaged at position ${3 * BATCH_BYTES}`);
  });
});

describe('R-14.2 after a failed sync', () => {
  /** A disk on which syncs of segments fail, and which remembers what is written to segments. */
  function failingDisk(failing: () => boolean, written: string[]) {
    const watch = (file: DiskFile): DiskFile =>
      !file.path.endsWith('.log')
        ? file
        : {
            path: file.path,
            read: (...args) => file.read(...args),
            write: (chunks, position) => {
              written.push(`${file.path.slice(-8)} ${position}+${chunks.reduce((sum, { length }) => sum + length, 0)}`);
              return file.write(chunks, position);
            },
            sync: () => (failing() ? Promise.reject(new EnvError('IO', 'sync failed')) : file.sync()),
            truncate: (size) => file.truncate(size),
            size: () => file.size(),
            close: () => file.close(),
          };
    const disk = createDisk();
    return {
      ...disk,
      open: async (name: string, mode: OpenMode) => watch(await disk.open(name, mode)),
      openNow: (name: string, mode: OpenMode) => watch(disk.openNow(name, mode)),
    };
  }

  test('what lies above the recovery point is written again, once; else nothing is', async () => {
    const folder = await writeLog();
    const written: string[] = [];
    let fails = false;
    const open = () =>
      PartitionLog.open({ ...deps(), disk: failingDisk(() => fails, written) }, folder, SMALL, {
        cleanShutdown: false,
        recoveryPoint: 28,
      });
    await (await open()).discard();
    expect(written).toEqual([]);

    fails = true;
    await expect(open()).rejects.toThrow('sync failed');
    expect(await readdir(folder)).toContain('failed-sync');
    fails = false;
    await (await open()).discard();
    expect(written).toEqual([`0024.log ${BATCH_BYTES}+${3 * BATCH_BYTES}`]);
    await (await open()).discard();
    expect(written.length).toBe(1);
    expect(await readdir(folder)).not.toContain('failed-sync');
  });

  test('a flush that fails is remembered as well', async () => {
    const folder = await writeLog();
    const written: string[] = [];
    let fails = false;
    const owner = { ...deps(), disk: failingDisk(() => fails, written) };
    const unclean = { cleanShutdown: false, recoveryPoint: 36 };
    const log = await PartitionLog.open(owner, folder, SMALL, unclean);
    log.append(batch({ count: 3, bytes: 100 }), 3);
    fails = true;
    await expect(log.flush()).rejects.toThrow('sync failed');
    await log.discard();
    fails = false;
    written.length = 0;
    await (await PartitionLog.open(owner, folder, SMALL, unclean)).discard();
    expect(written.length).toBe(1);
  });
});

describe('index files are derived data', () => {
  async function answers(folder: string, cleanShutdown: boolean): Promise<unknown> {
    const log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown, recoveryPoint: 36 });
    const found: unknown[] = [log.logEndOffset, log.epochs.entries, [...log.producers.values()]];
    for (let offset = 0; offset < 36; offset++) found.push((await log.read(offset, 1, 36, true)).toString('base64'));
    for (const timestamp of [0, 1000, 1001]) found.push(await log.offsetForTimestamp(timestamp, 36));
    await log.close();
    return found;
  }

  test.each(['index', 'timeindex', 'snapshot', 'checkpoint'])('missing, cut or damaged: %s', async (kind) => {
    const expected = await answers(await writeLog(), false);
    for (const cleanShutdown of [true, false]) {
      for (const damage of ['missing', 'cut', 'zeros', 'other'] as const) {
        const folder = await writeLog();
        await (await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: false, recoveryPoint: 0 })).close();
        for (const name of (await readdir(folder)).filter((file) => file.endsWith(kind))) {
          const file = `${folder}/${name}`;
          if (damage === 'missing') await unlink(file);
          if (damage === 'cut') await truncate(file, 5);
          if (damage === 'zeros') await edit(file, (bytes) => bytes.fill(0));
          if (damage === 'other' && name.endsWith('.index')) await edit(file, (bytes) => bytes.copy(bytes, 0, 8));
        }
        expect(await answers(folder, cleanShutdown), `${damage} ${cleanShutdown}`).toEqual(expected);
      }
    }
  });

  test('an index of another segment is noticed when it is used, and rebuilt', async () => {
    const expected = await answers(await writeLog(), false);
    const folder = await writeLog();
    await edit(path(folder, 12, 'index'), (bytes) => {
      for (let at = 4; at < bytes.length; at += 8) bytes.writeInt32BE(bytes.readInt32BE(at) + 7, at);
    });
    expect(await answers(folder, true)).toEqual(expected);
  });
});

test('T-3.2 a producer snapshot of what is gone does not survive it', async () => {
  const folder = await writeLog();
  await copyFile(path(folder, 24, 'snapshot'), path(folder, 99, 'snapshot'));
  await truncate(path(folder, 12), 2 * BATCH_BYTES);
  const log = await recover(folder, 18);
  expect(log.logEndOffset).toBe(18);
  const snapshots = (await readdir(folder)).filter((name) => name.endsWith('snapshot'));
  expect(snapshots).toEqual(['00000000000000000012.snapshot']);
  await checkGoesOn(log);
});
