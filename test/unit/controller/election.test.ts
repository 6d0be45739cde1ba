import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { acceptableIn, electOnline } from '../../../src/controller/decide/election.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';
import { after, CALM, clusterOf, record, registration, uuid } from '../metadata/fixture.ts';

const state = (leader: number, isr: number[], directories = [ZERO_UUID, ZERO_UUID, ZERO_UUID]): PartitionState => ({
  ...CALM,
  replicas: [3, 1, 2],
  isr,
  leader,
  leaderEpoch: 0,
  partitionEpoch: 0,
  directories,
});

describe('C-5.3: the election', () => {
  const cases: [string, PartitionState, number[], number[], number][] = [
    ['keeps a valid leader', state(2, [1, 2, 3]), [1, 2, 3], [1, 2, 3], 2],
    ['takes the first valid replica in assignment order', state(2, [1, 2, 3]), [1, 3], [1, 2, 3], 3],
    ['passes over who is not acceptable', state(2, [1, 2, 3]), [1, 3], [1, 2], 1],
    ['passes over who is not in the ISR', state(2, [1, 2]), [1], [1, 2, 3], 1],
    ['drops a leader that is not acceptable', state(2, [2]), [2], [1, 3], -1],
    ['elects nobody from an empty ISR', state(2, [2]), [], [1, 2, 3], -1],
    ['elects where there was no leader', state(-1, [1, 2]), [1, 2], [2], 2],
  ];
  it.each(cases)('%s', (_, partition, targetIsr, acceptable, leader) => {
    expect(electOnline(partition, targetIsr, (id) => acceptable.includes(id))).toBe(leader);
  });
});

describe('C-5.1: acceptable', () => {
  const image = after(clusterOf(1, 2), registration(3)); // 3 is fenced
  const any = state(-1, [1, 2, 3]);

  it('is who is registered and unfenced, as of the operation', () => {
    const ids = [1, 2, 3, 4];
    const of = (operation: { leaving?: number; joining?: number }) =>
      ids.filter((id) => acceptableIn(image, operation)(id, any));
    expect(of({})).toEqual([1, 2]);
    expect(of({ leaving: 1 })).toEqual([2]);
    expect(of({ joining: 3 })).toEqual([1, 2, 3]);
    expect(of({ joining: 4 })).toEqual([1, 2]);
  });

  it('is nobody who shuts down', () => {
    const brokerEpoch = image.brokers.get(1)?.brokerEpoch ?? -1;
    const brokerChange = { brokerId: 1, brokerEpoch, inControlledShutdown: true, cause: '' };
    const leaving = after(image, record({ $case: 'brokerChange', brokerChange }));
    expect(acceptableIn(leaving, {})(1, any)).toBe(false);
    expect(acceptableIn(leaving, { joining: 1 })(1, any)).toBe(false);
  });

  it('has the directory that holds the replica', () => {
    const on = (directory: string) => state(-1, [1], [ZERO_UUID, directory, ZERO_UUID]);
    expect(acceptableIn(image, {})(1, on(uuid(1001)))).toBe(true);
    expect(acceptableIn(image, {})(1, on(uuid(5)))).toBe(false);
    expect(acceptableIn(image, {})(1, on(ZERO_UUID))).toBe(true);
  });
});
