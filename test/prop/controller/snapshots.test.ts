// Snapshots of random images: what is taken is loaded again, from any earlier state, as replay would have left it.
import fc from 'fast-check';
import { is, isMap } from 'immutable';
import { describe, expect, it } from 'vitest';
import type { MetadataDelta } from '../../../src/metadata/delta.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { imageToRecords, snapshotRecords } from '../../../src/metadata/image-records.ts';
import { MetadataPublisher } from '../../../src/metadata/publisher.ts';
import { encodeRecord } from '../../../src/metadata/record.ts';
import { World } from './world.ts';
import { commands } from './world-commands.ts';

const EPOCH = 7;

/** A publisher that has applied the first `batches` batches of the log. */
function replayed(log: readonly (readonly Uint8Array[])[], batches: number): MetadataPublisher {
  const publisher = new MetadataPublisher();
  for (const records of log.slice(0, batches)) applyNext(publisher, records);
  return publisher;
}

function applyNext(publisher: MetadataPublisher, records: readonly Uint8Array[]): void {
  const baseOffset = publisher.image.endOffset;
  publisher.apply({ baseOffset, endOffset: baseOffset + records.length, epoch: EPOCH, records });
}

async function* chunked(records: Iterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array[]> {
  let chunk: Uint8Array[] = [];
  for (const record of records) {
    chunk.push(record);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
    await Promise.resolve();
  }
  yield chunk; // may be empty
}

function content(image: MetadataImage): object {
  return { records: imageToRecords(image), endOffset: image.endOffset, epoch: image.epoch };
}

/** Maps of configs are the same in any order; all else is plain data. */
function isSame(one: unknown, two: unknown): boolean {
  return isMap(two) ? is(one, two) : JSON.stringify(one) === JSON.stringify(two);
}

/** What is different, found by comparing everything. */
function differences(before: MetadataImage, after: MetadataImage): object {
  const changed = <K, V>(
    one: ReadonlyMap<K, V> | MetadataImage['topics'],
    two: ReadonlyMap<K, V> | MetadataImage['topics'],
  ) =>
    [...(two as Iterable<[K, V]>)]
      .filter(([key, value]) => !isSame((one as ReadonlyMap<K, V>).get(key), value))
      .map(([key]) => String(key));
  const names = [...before.topics].filter(([id]) => !after.topics.has(id)).map(([, { name }]) => `topic:${name}`);
  const goneConfigs = [...before.configs.keys()].filter((entity) => !after.configs.has(entity));
  return {
    topics: changed(before.topics, after.topics).sort(),
    removedTopics: [...before.topics.keys()].filter((id) => !after.topics.has(id)).sort(),
    brokers: changed(before.brokers as never, after.brokers as never).sort(),
    configs: [
      ...changed(before.configs as never, after.configs as never),
      ...goneConfigs.filter((entity) => !names.includes(entity)),
    ].sort(),
  };
}

function listed(delta: MetadataDelta): object {
  return {
    topics: [...delta.topics].sort(),
    removedTopics: [...delta.removedTopics.keys()].sort(),
    brokers: [...delta.brokers].map(String).sort(),
    configs: [...delta.configs].sort(),
  };
}

const share = fc.double({ min: 0, max: 1, noNaN: true });

describe('a snapshot', () => {
  it('R-10.1: taken after any prefix and loaded onto any earlier state, is that prefix; the rest of the log follows', async () => {
    await fc.assert(
      fc.asyncProperty(commands, share, share, fc.integer({ min: 1, max: 9 }), async (steps, at, from, size) => {
        const world = new World();
        for (const step of steps) world.run(step);
        const { log } = world;
        const taken = Math.round(at * log.length);
        const source = replayed(log, taken);
        const records = source.snapshot();
        const expected = content(source.image);
        for (const batch of log.slice(taken)) applyNext(source, batch); // later changes do not touch it

        const target = replayed(log, Math.round(from * taken));
        const before = target.image;
        const seen: MetadataDelta[] = [];
        const end = target.subscribe((image, delta, previous) => {
          expect([image, previous]).toEqual([target.image, before]);
          seen.push(delta);
        });
        const { endOffset, epoch } = expected as { endOffset: number; epoch: number };
        await target.load({ endOffset, epoch }, chunked(records, size));
        end();
        expect(content(target.image)).toEqual(expected);
        expect(seen.map(listed)).toEqual([differences(before, target.image)]);
        for (const batch of log.slice(taken)) applyNext(target, batch);
        expect(content(target.image)).toEqual(content(source.image));
      }),
      { numRuns: 200, seed: 20_261_123 },
    );
  });

  it('has the records of the image, in an order of its own', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const world = new World();
        for (const step of steps) world.run(step);
        const bytes = (records: Iterable<Parameters<typeof encodeRecord>[0]>) =>
          [...records].map((record) => Buffer.from(encodeRecord(record)).toString('hex')).sort();
        expect(bytes(snapshotRecords(world.image))).toEqual(bytes(imageToRecords(world.image)));
      }),
      { numRuns: 50, seed: 20_261_124 },
    );
  });

  it('the runs above reach what they are meant to test', () => {
    const reached = { removedTopics: 0, changedTopics: 0, changedBrokers: 0, configs: 0 };
    for (const steps of fc.sample(commands, { numRuns: 100, seed: 5 })) {
      const world = new World();
      for (const step of steps) world.run(step);
      const before = replayed(world.log, world.log.length >> 1).image;
      const found = differences(before, world.image) as ReturnType<typeof listed> & Record<string, string[]>;
      reached.removedTopics += Math.sign(found['removedTopics']?.length ?? 0);
      reached.changedTopics += Math.sign((found['topics'] ?? []).filter((id) => before.topics.has(id)).length);
      reached.changedBrokers += Math.sign((found['brokers'] ?? []).length);
      reached.configs += Math.sign((found['configs'] ?? []).length);
    }
    expect(Math.min(...Object.values(reached))).toBeGreaterThan(5);
  });
});
