import { copyFile, readdir, readFile, truncate, unlink, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { EnvError } from '../../../src/env/error.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

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
    for (const at of [0, 5, 9, 16, 18, 24, 60, 61, 200, BATCH_BYTES - 2]) {
      const folder = await writeLog();
      await edit(path(folder, 12), (bytes) => {
        bytes[BATCH_BYTES + at] = (bytes[BATCH_BYTES + at] as number) ^ 0x40;
      });
      const message = await refusal(folder);
      expect(message).toContain(`00000000000000000012.log is damaged at position ${BATCH_BYTES} (offset 15)`);
      expect(message).toContain(`an intact batch follows at position ${2 * BATCH_BYTES}`);
    }
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
    expect(await refusal(folder, 24)).toContain('acknowledged records are lost');
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
