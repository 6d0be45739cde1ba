// The metadata level: who can follow which, and when it is raised.
import { describe, expect, test } from 'vitest';
import type { UpdateFeaturesContext } from '../../../src/controller/decide/update-features.ts';
import { decideUpdateFeatures } from '../../../src/controller/decide/update-features.ts';
import type { ControllerLevels } from '../../../src/metadata/features.ts';
import { describeFeatures } from '../../../src/metadata/features.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { LATEST_METADATA_LEVEL, metadataRecord } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { LEVEL_1, registration } from '../metadata/fixture.ts';

function imageOf(...records: Parameters<typeof replay>[1]['records'][number][]): MetadataImage {
  return replay(EMPTY_IMAGE, { baseOffset: 0, endOffset: records.length, epoch: 1, records }).image;
}

const LATEST = metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: LATEST_METADATA_LEVEL } });

function controller(nodeId: number, max: number = LATEST_METADATA_LEVEL): ControllerLevels {
  return { nodeId, minMetadataLevel: 1, maxMetadataLevel: max, unknownReason: '' };
}

const silent: ControllerLevels = {
  nodeId: 3,
  minMetadataLevel: -1,
  maxMetadataLevel: -1,
  unknownReason: 'no answer at c3:9093',
};

const all: UpdateFeaturesContext = { controllers: [controller(1), controller(2)], voters: [1, 2] };

/** What is written, and what is answered. */
function update(image: MetadataImage, metadataLevel: number, context = all, validateOnly = false) {
  const { records, respond } = decideUpdateFeatures(image, { metadataLevel, validateOnly, forwarded: true }, context);
  const { error, ...answer } = respond(image);
  const levels = records.map(({ kind }) => (kind?.$case === 'metadataLevel' ? kind.metadataLevel.level : kind?.$case));
  return { levels, error: error?.name, message: error?.message, level: answer.metadataLevel };
}

const young = imageOf(LEVEL_1, registration(4), registration(5));

describe('UpdateFeatures', () => {
  test.each([3, 0])('raises the level to %s: the highest that all can follow', (wanted) => {
    expect(update(young, wanted)).toEqual({ levels: [3], error: undefined, message: undefined, level: 3 });
  });

  test('raises it step by step where that is asked for, and to the highest from where it is', () => {
    expect(update(young, 2)).toMatchObject({ levels: [2], error: undefined, level: 2 });
    const between = metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: 2 } });
    expect(update(imageOf(between, registration(4)), 0)).toMatchObject({ levels: [3], error: undefined, level: 3 });
  });

  test('stays below what one broker cannot follow', () => {
    const image = imageOf(LEVEL_1, registration(4, { maxMetadataLevel: 2 }), registration(5));
    expect(update(image, 0)).toMatchObject({ levels: [2], error: undefined, level: 2 });
    expect(update(image, 3)).toMatchObject({ levels: [], error: 'FEATURE_UPDATE_FAILED', level: 1 });
  });

  test('a check alone writes nothing', () => {
    expect(update(young, 2, all, true)).toMatchObject({ levels: [], error: undefined, level: 2 });
  });

  test.each([3, 0])('asked again for %s finds it in force, whoever can be asked', (wanted) => {
    const image = imageOf(LATEST, registration(4));
    const unasked = { controllers: [silent], voters: [1, 2, 3] };
    expect(update(image, wanted, unasked)).toEqual({ levels: [], error: undefined, message: undefined, level: 3 });
  });

  test('never lowers it', () => {
    const answer = update(imageOf(LATEST, registration(4)), 1);
    expect(answer).toMatchObject({ levels: [], error: 'INVALID_UPDATE_VERSION', level: 3 });
    expect(answer.message).toMatch(/level 3 is in force and is never lowered/);
  });

  test('knows no level beyond its own', () => {
    expect(update(young, LATEST_METADATA_LEVEL + 1)).toMatchObject({
      levels: [],
      error: 'INVALID_UPDATE_VERSION',
      level: 1,
    });
  });

  test('names the field of a number that is none', () => {
    const answer = update(young, -1);
    expect(answer).toMatchObject({ levels: [], error: 'INVALID_REQUEST', level: 1 });
    expect(answer.message).toMatch(/^metadata_level is -1: /);
  });

  test('says who cannot follow: brokers, fenced ones too, and controllers', () => {
    const image = imageOf(LEVEL_1, registration(4, { maxMetadataLevel: 1, fenced: true }), registration(5));
    const answer = update(image, 2, { controllers: [controller(1, 1), controller(2)], voters: [1, 2] });
    expect(answer).toMatchObject({ levels: [], error: 'FEATURE_UPDATE_FAILED', level: 1 });
    expect(answer.message).toBe(
      'metadata level 2 needs every broker and voter to follow it, but broker 4 can follow levels 1 to 1 alone; ' +
        'controller 1 can follow levels 1 to 1 alone: upgrade, start or remove those, then try again',
    );
    expect(update(image, 0)).toMatchObject({ levels: [], error: undefined, level: 1 });
  });

  test('waits for voters that were not asked, or did not answer', () => {
    const answer = update(young, 2, { controllers: [controller(1), silent], voters: [1, 3, 4] });
    expect(answer).toMatchObject({ levels: [], error: 'FEATURE_UPDATE_FAILED', level: 1 });
    expect(answer.message).toContain('what controller 3 can follow is not known (no answer at c3:9093)');
    expect(answer.message).toContain('controller 4 has become a voter only now');
  });
});

test('DescribeFeatures lists brokers, then controllers, and why one is not known', () => {
  expect(describeFeatures(young, [silent, controller(1)])).toEqual({
    metadataLevel: 1,
    minMetadataLevel: 1,
    maxMetadataLevel: 3,
    nodes: [
      { nodeId: 4, role: 'broker', unknownReason: '', minMetadataLevel: 1, maxMetadataLevel: 3 },
      { nodeId: 5, role: 'broker', unknownReason: '', minMetadataLevel: 1, maxMetadataLevel: 3 },
      { nodeId: 1, role: 'controller', unknownReason: '', minMetadataLevel: 1, maxMetadataLevel: 3 },
      { ...silent, role: 'controller' },
    ],
    metadataEndOffset: 3,
  });
});
