// The table of error codes against what Apache Kafka 4.1.1 has.
import { expect, test } from 'vitest';
import { ALL_ERRORS, ErrorCode, errorInfo, errorName } from '../../../src/protocol/error-codes.ts';

test('codes run from -1 to 133 without a gap, each with one sentence', () => {
  expect(ALL_ERRORS.map(({ code }) => code)).toEqual(Array.from({ length: 135 }, (_, i) => i - 1));
  for (const { name, meaning } of ALL_ERRORS) expect(meaning, name).toMatch(/^[A-Z][^.]*(\.[a-z][^.]*)*\.$/);
});

test('codes are found by name and by number', () => {
  expect(ErrorCode.NOT_LEADER_OR_FOLLOWER).toBe(6);
  expect(ErrorCode.UNKNOWN_LEADER_EPOCH).toBe(75);
  expect(errorInfo(74)).toMatchObject({ name: 'FENCED_LEADER_EPOCH', reaction: 'refresh', retriable: true });
  expect(errorInfo(10)).toMatchObject({ name: 'MESSAGE_TOO_LARGE', retriable: false });
  expect(errorInfo(4711)).toBeUndefined();
  expect(errorName(0)).toBe('NONE');
  expect(errorName(4711)).toBe('error 4711');
});

test('what may be asked again is what Kafka’s clients ask again', () => {
  // The codes of Kafka 4.1.1's Errors whose exception is a RetriableException.
  const retriable = [
    2, 3, 5, 6, 7, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78, 80, 83, 84, 88, 89, 100, 103, 106,
    122, 123, 133,
  ];
  expect(ALL_ERRORS.filter((info) => info.retriable).map(({ code }) => code)).toEqual(retriable);
  // Of these, the ones whose exception is an InvalidMetadataException.
  const refresh = [3, 5, 6, 9, 13, 56, 72, 74, 80, 83, 84, 100, 103];
  expect(ALL_ERRORS.filter((info) => info.reaction === 'refresh').map(({ code }) => code)).toEqual(refresh);
});
