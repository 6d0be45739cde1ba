// The durable-end note: whatever the crash, it claims nothing that was not said, and not less than what was surely written.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { DurableEnd } from '../../../src/quorum/durable-end.ts';
import { createDurableEnd, DurableEndNote, NOTHING_DURABLE, readDurableEnd } from '../../../src/quorum/durable-end.ts';
import { World } from '../../../src/sim/world/world.ts';
import { uuid } from '../metadata/fixture.ts';

const FOLDER = '/data';
const PATH = `${FOLDER}/durable-end`;
const SLOT_SPACING = 4096;

function end(logEndOffset: number, leaderEpoch = 3): DurableEnd {
  return { logEndOffset, lastEpoch: 2, leaderEpoch, votedKey: { id: 1, directoryId: uuid(1) } };
}

/** One life of the process, killed when `main` returned. */
async function live<T>(world: World, main: (env: Env) => Promise<T>): Promise<T> {
  const result = await world.run('node', 10_000, main);
  world.process('node').kill();
  return result;
}

async function formatted(seed: number): Promise<World> {
  const world = new World({ seed });
  world.process('node').disk.provision(FOLDER);
  await live(world, (env) => createDurableEnd(env.disk, FOLDER));
  return world;
}

async function read(world: World): Promise<DurableEnd> {
  const end = await live(world, (env) => readDurableEnd(env.disk, FOLDER));
  if (typeof end === 'string') throw new Error(`the note is ${end}`);
  return end;
}

async function refusal(world: World): Promise<EnvError> {
  return live(world, async (env) => {
    const error = await DurableEndNote.open(env, FOLDER, () => expect.unreachable()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EnvError);
    return error as EnvError;
  });
}

test('a formatted folder says that nothing is durable; a clean stop leaves what was said last', async () => {
  const world = await formatted(1);
  expect(await read(world)).toEqual(NOTHING_DURABLE);
  for (const last of [7, 300]) {
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      for (let offset = last - 5; offset <= last; offset++) note.raise(end(offset));
      await note.close();
    });
    expect(await read(world)).toEqual(end(last));
  }
});

test('claims that follow each other quickly are written as one', async () => {
  const world = await formatted(1);
  let syncs = 0;
  world.trace = (event) => {
    if (event.kind === 'disk') syncs++;
  };
  await live(world, async (env) => {
    const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
    const before = syncs;
    for (let offset = 1; offset <= 1000; offset++) {
      note.raise(end(offset));
      await new Promise<void>((resolve) => {
        env.clock.schedule(0.1, resolve);
      });
    }
    // 100 ms and more: about one every 20 ms, each an effect and its delivery.
    expect(syncs - before).toBeGreaterThan(2);
    expect(syncs - before).toBeLessThan(30);
    await note.close();
  });
  expect(await read(world)).toEqual(end(1000));
});

test('power cuts: never more than was said, never less than a lower bound that is known', async () => {
  let behind = 0;
  let lowered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(fc.integer({ min: -4, max: 6 }), { minLength: 1, maxLength: 30 }),
      fc.nat(400),
      async (seed, moves, cutMs) => {
        const world = await formatted(seed);
        // As a driver does: what the database surely holds, now and after the cut under way.
        let surelyHeld = 0;
        let floor = 0;
        const node = world.process('node');
        node.start(async (env) => {
          const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
          let offset = 0;
          for (const move of moves) {
            await new Promise<void>((resolve) => {
              env.clock.schedule(5, resolve);
            });
            if (move < 0) {
              offset = Math.max(0, offset + move);
              await note.lower({ logEndOffset: offset, lastEpoch: offset === 0 ? 0 : 2 });
              lowered++;
            } else offset += move;
            surelyHeld = offset;
            note.raise(end(offset));
          }
          await new Promise<void>((resolve) => {
            env.clock.schedule(60, resolve);
          });
          floor = offset;
        });
        await world.runFor(cutMs);
        node.powerCut();
        const { logEndOffset } = await read(world);
        expect(logEndOffset).toBeLessThanOrEqual(surelyHeld);
        expect(logEndOffset).toBeGreaterThanOrEqual(floor);
        if (logEndOffset < surelyHeld) behind++;
      },
    ),
    { numRuns: 150, seed: 1 },
  );
  expect(behind).toBeGreaterThan(0);
  expect(lowered).toBeGreaterThan(0);
});

test('a lowered claim stays lowered, whichever slot is damaged', async () => {
  for (const slot of [0, SLOT_SPACING]) {
    const world = await formatted(1);
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      note.raise(end(10));
      await note.lower({ logEndOffset: 4, lastEpoch: 1 });
      await note.close();
    });
    expect((await read(world)).logEndOffset).toBeLessThanOrEqual(4);
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      note.raise(end(10));
      await note.close();
    });
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      await note.lower({ logEndOffset: 4, lastEpoch: 1 });
      await note.close();
    });
    world.process('node').disk.corrupt(PATH, slot + 20, 0x10);
    expect(await read(world)).toEqual({ ...end(4), lastEpoch: 1 });
  }
});

describe('damage', () => {
  test('one damaged slot leaves the other; every flipped bit is noticed', async () => {
    const world = await formatted(1);
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      for (const offset of [5, 9]) {
        note.raise(end(offset));
        await new Promise<void>((resolve) => {
          env.clock.schedule(100, resolve);
        });
      }
      await note.close();
    });
    const { disk } = world.process('node');
    expect((await read(world)).logEndOffset).toBe(9);
    const newest = [0, SLOT_SPACING].find((at) => disk.contentOf(PATH).readBigInt64BE(at + 13) === 9n) as number;
    const other = SLOT_SPACING - newest;
    for (let bit = 0; bit < 49 * 8; bit++) {
      disk.corrupt(PATH, newest + (bit >> 3), 1 << (bit & 7));
      expect((await read(world)).logEndOffset).toBe(5);
      disk.corrupt(PATH, newest + (bit >> 3), 1 << (bit & 7));
    }
    disk.corrupt(PATH, newest + 20);
    disk.corrupt(PATH, other + 20);
    const error = await refusal(world);
    expect(error.code).toBe('CORRUPT');
    expect(error.message).toBe('/data/durable-end is damaged');
  });

  test('a missing note, and one that is cut short', async () => {
    const world = await formatted(1);
    await live(world, async (env) => {
      const file = await env.disk.open(PATH, 'write');
      await file.truncate(SLOT_SPACING + 10);
      await file.close();
    });
    expect(await read(world)).toEqual(NOTHING_DURABLE);
    await live(world, async (env) => {
      const file = await env.disk.open(PATH, 'write');
      await file.truncate(0);
      await file.close();
    });
    expect((await refusal(world)).message).toContain('is damaged');
    await live(world, (env) => env.disk.remove(PATH));
    expect((await refusal(world)).message).toMatch(/durable-end is missing: this directory was wiped/);
  });

  test('a note of a newer version is not taken for a damaged one', async () => {
    const world = await formatted(1);
    const { crc32c } = await import('../../../src/base/crc32c.ts');
    await live(world, async (env) => {
      const content = await env.disk.readFile(PATH);
      const slot = content.subarray(SLOT_SPACING);
      slot.writeUInt8(2, 4);
      slot.writeUInt32BE(crc32c(slot, 4), 0);
      const file = await env.disk.open(PATH, 'write');
      file.write([content], 0);
      await file.close();
    });
    expect((await refusal(world)).message).toMatch(/has format 2, this release reads 1/);
  });
});

describe('a disk that fails', () => {
  test('a claim that cannot be written is told once, and closing still works', async () => {
    for (const kind of ['write', 'sync'] as const) {
      const world = await formatted(1);
      await live(world, async (env) => {
        const failures: unknown[] = [];
        const note = await DurableEndNote.open(env, FOLDER, (error) => failures.push(error));
        world.process('node').disk.failNext(kind, PATH);
        note.raise(end(3));
        await new Promise<void>((resolve) => {
          env.clock.schedule(100, resolve);
        });
        note.raise(end(4));
        await note.close();
        expect(failures).toEqual([expect.objectContaining({ code: 'IO' })]);
      });
    }
  });

  test('what cannot be lowered must not be cut', async () => {
    const world = await formatted(1);
    await live(world, async (env) => {
      const note = await DurableEndNote.open(env, FOLDER, () => expect.unreachable());
      note.raise(end(9));
      await new Promise<void>((resolve) => {
        env.clock.schedule(100, resolve);
      });
      world.process('node').disk.failNext('sync', PATH);
      await expect(note.lower({ logEndOffset: 2, lastEpoch: 1 })).rejects.toMatchObject({ code: 'IO' });
      await note.close();
    });
  });
});
