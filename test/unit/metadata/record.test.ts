import { expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { decodeRecord, decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { LEVEL_1, registration, topicRecord, uuid } from './fixture.ts';

/** A record of kind 14, which does not exist. */
const UNKNOWN = Buffer.from([(14 << 3) | 2, 0]);
const SKIPPABLE = Buffer.concat([UNKNOWN, Buffer.from([15 << 3, 1])]);

it('records survive their bytes', () => {
  const records = [LEVEL_1, registration(3), topicRecord('a', uuid(1))];
  expect(decodeRecords(records.map(encodeRecord), 0)).toEqual(records);
});

it('C-0.4: an unknown kind ends the node with a sentence that says what to do', () => {
  expect(() => decodeRecord(UNKNOWN, 42)).toThrow(AssertionError);
  expect(() => decodeRecord(UNKNOWN, 42)).toThrow(/offset 42 .*does not know.*run this node with the version/);
  expect(() => decodeRecord(Buffer.alloc(0), 0)).toThrow(AssertionError);
});

it('an unknown kind that its writer marked as skippable takes an offset and changes nothing', () => {
  const records = [...decodeRecords([SKIPPABLE], 0), LEVEL_1];
  const { image } = replay(EMPTY_IMAGE, { baseOffset: 0, endOffset: 2, epoch: 1, records });
  expect(image).toMatchObject({ endOffset: 2, level: 1 });
});

it('damaged bytes end the node and name the offset', () => {
  const torn = encodeRecord(registration(3)).subarray(0, 20);
  expect(() => decodeRecord(torn, 7)).toThrow(/offset 7 cannot be decoded/);
});

it('a record without a kind cannot be written', () => {
  expect(() => encodeRecord(MetadataRecord.decode(SKIPPABLE))).toThrow(AssertionError);
});
