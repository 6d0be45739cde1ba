// What a crash means for what was acknowledged (C-2.4): the notes of a life in one log dir.
import { describe, expect, test } from 'vitest';
import type { LifeNote } from '../../../src/log/life-note.ts';
import { decodeLifeNote, encodeLifeNote, isWhole } from '../../../src/log/life-note.ts';
import type { LogDirectoryDeps } from '../../../src/log/log-directory.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import { openStore } from '../../../src/node/store.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const CLUSTER = '4L6g3nShT-eMCtK--X86sw';
const DIRECTORY = 'q1Sh-9_ISia_zwGINzRvyQ';
const T1 = 'AAAAAAAAAAAAAAAAAAAAAg';
const OWNER = { nodeId: 3, clusterId: CLUSTER };
const LIFE: LifeNote = { brokerEpoch: 7, bootId: 'one', asyncUsed: false, logDirs: [DIRECTORY] };
const ASYNC = { ...CONFIG, flushMode: 'async' } as const;

function world(): LogDirectoryDeps {
  return { ...deps(), openStore };
}

async function formatted(): Promise<string> {
  const path = await tempFolder();
  await writeMetaProperties(deps().disk, path, { clusterId: CLUSTER, nodeId: 3, directoryId: DIRECTORY, version: 1 });
  return path;
}

const open = (path: string): Promise<LogDirectory> => LogDirectory.open(world(), path, OWNER);

/** One life of the directory, ended by a crash; what the next start finds of it. */
async function afterLife(
  path: string,
  live: (directory: LogDirectory) => Promise<void>,
): Promise<LifeNote | undefined> {
  const directory = await open(path);
  await live(directory);
  await directory.close(false, -1);
  const next = await open(path);
  await next.close(false, -1);
  return next.life.last;
}

describe('a note', () => {
  test('reads back, and one that makes no sense vouches for nothing', () => {
    for (const note of [LIFE, { ...LIFE, bootId: undefined, asyncUsed: true, logDirs: [] }]) {
      expect(decodeLifeNote(encodeLifeNote(note))).toEqual(note);
    }
    const wrong = ['', '{', 'null', '1', '{"version":1}', '{"version":0,"brokerEpoch":7}'];
    const odd = [{ brokerEpoch: -1 }, { brokerEpoch: 1.5 }, { bootId: 3 }, { asyncUsed: 'no' }, { logDirs: ['x'] }];
    for (const text of [...wrong, ...odd.map((fields) => JSON.stringify({ version: 0, ...LIFE, ...fields }))]) {
      expect(decodeLifeNote(Buffer.from(text))).toBeUndefined();
    }
  });

  test.each<[string, Partial<LifeNote>, string | undefined, boolean]>([
    ['all was synced, and the system runs on', {}, 'one', true],
    ['all was synced, and the system was restarted', {}, 'two', true],
    ['all was synced, and nobody knows of the system', { bootId: undefined }, undefined, true],
    ['some was not, and the system runs on', { asyncUsed: true }, 'one', true],
    ['some was not, and the system was restarted', { asyncUsed: true }, 'two', false],
    ['some was not, and the system does not say', { asyncUsed: true, bootId: undefined }, undefined, false],
    ['some was not, and the system said nothing then', { asyncUsed: true, bootId: undefined }, 'one', false],
  ])('C-2.4, M-8: %s', (_, fields, bootId, whole) => {
    expect(isWhole({ ...LIFE, ...fields }, bootId)).toBe(whole);
  });
});

describe('a log dir', () => {
  test('keeps the note of a life over crashes, and over starts that came to nothing (B85)', async () => {
    const path = await formatted();
    expect(await afterLife(path, (directory) => directory.life.begin(LIFE))).toEqual(LIFE);
    expect(await afterLife(path, async () => {})).toEqual(LIFE);
    expect(await afterLife(path, (directory) => directory.life.begin({ ...LIFE, brokerEpoch: 9 }))).toMatchObject({
      brokerEpoch: 9,
    });
  });

  test('notes a log that acknowledges what is not synced before it can be appended to', async () => {
    const sync = await afterLife(await formatted(), async (directory) => {
      await directory.life.begin(LIFE);
      await directory.openLog('t', T1, 0, CONFIG);
    });
    expect(sync?.asyncUsed).toBe(false);
    const later = await afterLife(await formatted(), async (directory) => {
      await directory.life.begin(LIFE);
      await directory.openLog('t', T1, 0, ASYNC);
    });
    expect(later?.asyncUsed).toBe(true);
    const before = await afterLife(await formatted(), async (directory) => {
      await directory.openLog('t', T1, 0, ASYNC);
      await directory.life.begin(LIFE);
    });
    expect(before?.asyncUsed).toBe(true);
  });

  test('counts what it took over from the page cache until that is durable', async () => {
    const path = await formatted();
    const taken = { ...LIFE, asyncUsed: true };
    expect((await afterLife(path, (directory) => directory.life.begin(taken)))?.asyncUsed).toBe(true);
    const recovered = await afterLife(path, async (directory) => {
      await directory.life.begin(taken);
      await directory.openLog('t', T1, 0, CONFIG);
      await directory.life.recovered();
    });
    expect(recovered?.asyncUsed).toBe(false);
    const stillAsync = await afterLife(path, async (directory) => {
      await directory.life.begin(taken);
      await directory.openLog('t', T1, 0, ASYNC);
      await directory.life.recovered();
    });
    expect(stillAsync?.asyncUsed).toBe(true);
  });

  test('leaves no marker of a clean stop before that: logs that were not opened are not durable', async () => {
    const path = await formatted();
    const directory = await open(path);
    await directory.life.begin({ ...LIFE, asyncUsed: true });
    expect(await directory.close(true, 7)).toBe(false);
    const next = await open(path);
    expect([next.cleanShutdownEpoch, next.life.last?.asyncUsed]).toEqual([undefined, true]);
    await next.life.begin({ ...LIFE, asyncUsed: true });
    await next.life.recovered();
    expect(await next.close(true, 7)).toBe(true);
  });

  test('after a clean stop all is durable, also where the marker is used up', async () => {
    const path = await formatted();
    const directory = await open(path);
    await directory.life.begin(LIFE);
    const log = await directory.openLog('t', T1, 0, ASYNC);
    log.append(batch(), 0);
    expect(await directory.close(true, 7)).toBe(true);
    expect(await afterLife(path, async () => {})).toEqual(LIFE);
  });

  test('that was renounced vouches for nothing, whatever is noted later', async () => {
    const found = await afterLife(await formatted(), async (directory) => {
      await directory.life.begin(LIFE);
      await directory.life.renounce();
      await directory.life.asyncBegins();
      await directory.life.recovered();
      await directory.life.begin({ ...LIFE, brokerEpoch: 8 });
    });
    expect(found).toBeUndefined();
  });
});
