import { expect, it } from 'vitest';
import { AssertionError } from '../../../src/base/assert.ts';
import { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { decodeRecord, decodeRecords, encodeRecord, encodeRecords } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { LEVEL_1, registration, topicRecord, uuid } from './fixture.ts';

/** A record of kind 14, which does not exist. */
const UNKNOWN = Buffer.from([(14 << 3) | 2, 0]);
const SKIPPABLE = Buffer.concat([UNKNOWN, Buffer.from([15 << 3, 1])]);

it('records survive their bytes', () => {
  const records = [LEVEL_1, registration(3), topicRecord('a', uuid(1))];
  expect(decodeRecords(records.map(encodeRecord), 0)).toEqual(records);
});

it('the records of a batch are the same bytes as each by itself, whatever their size', () => {
  const sizes = [0, 1, 90, 100, 127, 128, 300, 16_383, 16_384, 20_000];
  const records = [LEVEL_1, ...sizes.map((size) => topicRecord('n'.repeat(size), uuid(1))), registration(3)];
  const together = encodeRecords(records);
  expect(together.map((bytes) => Buffer.from(bytes))).toEqual(records.map((one) => Buffer.from(encodeRecord(one))));
  expect(decodeRecords(together, 0)).toEqual(records);
  expect(encodeRecords([])).toEqual([]);
});

it('later records do not change the bytes of earlier ones, and one that cannot be written leaves nothing behind', () => {
  const first = encodeRecord(topicRecord('a', uuid(1)));
  const batch = encodeRecords([topicRecord('b', uuid(2)), LEVEL_1]);
  const kept = [first, ...batch].map((bytes) => Buffer.from(bytes));
  const bad = { ...LEVEL_1, kind: { $case: 'metadataLevel' as const, metadataLevel: { level: 2 ** 40 } } };
  expect(() => encodeRecords([topicRecord('c', uuid(3)), bad])).toThrow('int32');
  expect(() => encodeRecord(bad)).toThrow('int32');
  expect(decodeRecords(encodeRecords([registration(3)]), 0)).toEqual([registration(3)]);
  expect([first, ...batch].map((bytes) => Buffer.from(bytes))).toEqual(kept);
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
  expect(() => encodeRecords([LEVEL_1, MetadataRecord.decode(SKIPPABLE)])).toThrow(AssertionError);
});
