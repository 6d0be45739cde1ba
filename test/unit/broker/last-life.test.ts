// Which epoch of the past a broker may name when it registers (C-2.4).
import { describe, expect, test } from 'vitest';
import type { LifeWitness } from '../../../src/broker/last-life.ts';
import { lastLifeOf } from '../../../src/broker/last-life.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { LifeNote } from '../../../src/log/life-note.ts';
import { uuid } from '../metadata/fixture.ts';

const [A, B] = [uuid(1), uuid(2)];
const NOTE: LifeNote = { brokerEpoch: 7, bootId: 'one', asyncUsed: false, logDirs: [A, B] };

/** `marker`: of a clean stop. */
function dir(directoryId: string, marker: number | undefined, last: LifeNote | undefined): LifeWitness {
  const meta = { clusterId: uuid(9), nodeId: 3, directoryId, version: 1 } as const;
  return { meta, cleanShutdownEpoch: marker, life: { last } };
}

const UNKNOWN = { brokerEpoch: -1, end: 'unknown' };
const CRASH = { brokerEpoch: 7, end: 'crash' };
const CLEAN = { brokerEpoch: 7, end: 'clean' };
const ASYNC = { ...NOTE, asyncUsed: true };

describe('C-2.4: what log dirs say of the last life', () => {
  test.each<[string, LifeWitness[], string | undefined, object]>([
    ['a clean stop', [dir(A, 7, NOTE), dir(B, 7, NOTE)], 'two', CLEAN],
    ['a clean stop of a version without notes', [dir(A, 7, undefined)], undefined, CLEAN],
    ['a crash, all was synced', [dir(A, undefined, NOTE), dir(B, undefined, NOTE)], 'two', CRASH],
    ['a crash of the process, not all was synced', [dir(A, undefined, ASYNC), dir(B, undefined, ASYNC)], 'one', CRASH],
    ['a power cut, not all was synced', [dir(A, undefined, ASYNC), dir(B, undefined, ASYNC)], 'two', UNKNOWN],
    [
      'a power cut, not all was synced in one of them',
      [dir(A, undefined, NOTE), dir(B, undefined, ASYNC)],
      'two',
      UNKNOWN,
    ],
    ['one could be closed cleanly', [dir(A, 7, NOTE), dir(B, undefined, NOTE)], 'two', CRASH],
    ['one is new', [dir(A, 7, NOTE), dir(B, undefined, undefined)], 'one', UNKNOWN],
    ['one was part of another life', [dir(A, 7, NOTE), dir(B, undefined, { ...NOTE, brokerEpoch: 5 })], 'one', UNKNOWN],
    ['one was stopped in another life', [dir(A, 7, NOTE), dir(B, 5, NOTE)], 'one', UNKNOWN],
    ['one was taken away after a crash', [dir(A, undefined, NOTE)], 'one', UNKNOWN],
    ['B85: a start that came to nothing changed nothing', [dir(A, -1, NOTE), dir(B, -1, NOTE)], 'two', CRASH],
    ['B85: nor does it hide a power cut', [dir(A, -1, ASYNC), dir(B, -1, ASYNC)], 'two', UNKNOWN],
    ['B85: a start that came to nothing, alone', [dir(A, -1, undefined)], 'one', UNKNOWN],
    ['the first start', [dir(A, undefined, undefined)], 'one', UNKNOWN],
  ])('%s', (_, opened, bootId, expected) => {
    expect(lastLifeOf(opened, [], bootId)).toEqual(expected);
  });

  test('what one that is offline would say is not known', () => {
    const offline = [{ path: '/b', failure: new EnvError('IO', 'broken') }];
    expect(lastLifeOf([dir(A, 7, { ...NOTE, logDirs: [A] })], offline, 'one')).toEqual(UNKNOWN);
  });
});
