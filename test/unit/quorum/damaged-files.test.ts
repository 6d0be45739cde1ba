// on the real database: a flipped byte, a cut or a missing file of it either changes nothing that matters, or keeps the
// replica from opening. What was synced is never silently less: `level` skips damaged entries of its log, the note notices.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { isEnvError } from '../../../src/env/error.ts';
import { createEnv } from '../../../src/node/env.ts';
import { createDurableEnd, DurableEndNote } from '../../../src/quorum/durable-end.ts';
import { openReplica } from '../../../src/quorum/opened-replica.ts';
import { QuorumStorage } from '../../../src/quorum/storage.ts';
import { encodeControlRecord } from '../../../src/raft/control-record.ts';
import type { Batch, DurableState, QuorumState } from '../../../src/raft/types.ts';
import { uuid } from '../metadata/fixture.ts';

const CLUSTER_ID = uuid(1);
const VOTED = { id: 1, directoryId: uuid(101) };
let scratch: string;
let env: Env;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'kvorum-damage-'));
  env = createEnv({ level: 'error' });
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A replica's folder with `count` batches, each synced by itself, in epochs of 20 batches. */
async function written(name: string, count: number): Promise<string> {
  const folder = join(scratch, name);
  mkdirSync(folder, { recursive: true });
  await createDurableEnd(env.disk, folder);
  const note = await DurableEndNote.open(env, folder, (error) => {
    throw error;
  });
  const storage = new QuorumStorage(await env.openStore(`${folder}/metadata`));
  await storage.load();
  const first: Batch = {
    baseOffset: 0,
    epoch: 1,
    control: true,
    records: [encodeControlRecord({ type: 'voters', voters: [{ ...VOTED, endpoint: '' }] })],
  };
  let state: QuorumState = { leaderId: 1, leaderEpoch: 1, votedKey: VOTED };
  await storage.write([...storage.state(state), ...storage.append([first])]);
  for (let offset = 1; offset < count; offset++) {
    const epoch = 1 + Math.floor(offset / 20);
    if (epoch > state.leaderEpoch) {
      state = { leaderId: 1, leaderEpoch: epoch, votedKey: VOTED };
      await storage.write(storage.state(state));
    }
    await storage.write(
      storage.append([{ baseOffset: offset, epoch, control: false, records: [Buffer.alloc(60, offset)] }]),
    );
  }
  note.raise({ ...storage.end, leaderEpoch: state.leaderEpoch, votedKey: VOTED });
  await note.close();
  await storage.close();
  return folder;
}

function filesOf(folder: string): string[] {
  return readdirSync(join(folder, 'metadata')).map((name) => join('metadata', name));
}

function copyOf(folder: string): string {
  const copy = join(scratch, 'copy');
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(join(copy, 'metadata'), { recursive: true });
  for (const file of ['durable-end', ...filesOf(folder)]) copyFileSync(join(folder, file), join(copy, file));
  return copy;
}

/** What the replica would start with, or why it does not. */
async function opened(folder: string): Promise<DurableState | { refused: string }> {
  try {
    const replica = await openReplica(env, env.logger, {
      directory: folder,
      clusterId: CLUSTER_ID,
      noteFailed: (error) => {
        throw error;
      },
    });
    await replica.storage.close();
    await replica.note.close();
    return replica.durable;
  } catch (error) {
    if (!isEnvError(error)) throw error;
    return { refused: error.message };
  }
}

interface Tally {
  harmless: number;
  readonly refused: Set<string>;
}

/** Opens a damaged copy: either all is there, or it is refused, with the way out. */
async function expectNoticed(folder: string, whole: DurableState, damage: (copy: string) => void, tally: Tally) {
  const copy = copyOf(folder);
  damage(copy);
  const found = await opened(copy);
  if ('refused' in found) {
    expect(found.refused).toMatch(/format it again/);
    tally.refused.add(
      found.refused
        .replaceAll(copy, 'DIR')
        .replaceAll(/[0-9]+/g, 'N')
        .slice(0, 90),
    );
  } else {
    expect(found.batches).toEqual(whole.batches);
    expect(found.quorumState).toEqual(whole.quorumState);
    tally.harmless++;
  }
}

describe.each([
  ['in the log of the database', 60, 1],
  ['in tables of the database', 60, 2],
])('%s', (name, count, lives) => {
  let folder: string;
  let whole: DurableState;
  beforeAll(async () => {
    folder = await written(name.replaceAll(' ', '-'), count);
    // Opening moves the log's entries to a table.
    for (let life = 1; life < lives; life++) await opened(folder);
    whole = (await opened(copyOf(folder))) as DurableState;
    expect(whole.batches).toHaveLength(count);
  });

  test('every flipped byte is noticed, or changes nothing', async () => {
    const tally: Tally = { harmless: 0, refused: new Set() };
    for (const file of filesOf(folder)) {
      const content = readFileSync(join(folder, file));
      const step = Math.max(1, Math.floor(content.length / 12));
      for (let at = 0; at < content.length; at += step) {
        const flip = (copy: string): void => {
          const damaged = Buffer.from(content);
          damaged[at] = (damaged[at] as number) ^ 0x40;
          writeFileSync(join(copy, file), damaged);
        };
        await expectNoticed(folder, whole, flip, tally);
      }
    }
    // What the database alone would have passed over: entries of its log that it cannot read.
    const lost = [...tally.refused].some((refused) => /was durable/.test(refused));
    expect(lost || lives > 1).toBe(true);
    expect(tally.harmless).toBeGreaterThan(0);
  }, 60_000);

  test('every cut file is noticed, and every missing one', async () => {
    const tally: Tally = { harmless: 0, refused: new Set() };
    for (const file of filesOf(folder)) {
      const { length } = readFileSync(join(folder, file));
      for (const part of [0, 0.3, 0.9, 0.999]) {
        await expectNoticed(folder, whole, (copy) => truncateSync(join(copy, file), Math.floor(length * part)), tally);
      }
      await expectNoticed(folder, whole, (copy) => rmSync(join(copy, file)), tally);
    }
    await expectNoticed(folder, whole, (copy) => rmSync(join(copy, 'metadata'), { recursive: true }), tally);
    expect(tally.refused.size).toBeGreaterThan(0);
  }, 60_000);
});
