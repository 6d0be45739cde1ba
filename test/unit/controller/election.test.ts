import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { Operation } from '../../../src/controller/decide/acceptable.ts';
import { acceptableIn } from '../../../src/controller/decide/acceptable.ts';
import type { ElectionKind } from '../../../src/controller/decide/election.ts';
import { elect, hasLeaderships } from '../../../src/controller/decide/election.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from '../metadata/fixture.ts';

interface Case {
  leader?: number;
  last?: number;
  isr: number[];
  elr?: number[];
  alive: number[];
  kind?: ElectionKind;
  allowed?: boolean;
}

/** Of a partition with replicas [3, 1, 2]. */
function electIn({ leader = -1, last = -1, isr, elr = [], alive, kind = 'online', allowed = false }: Case) {
  const directories = [ZERO_UUID, ZERO_UUID, ZERO_UUID];
  const candidates = { replicas: [3, 1, 2], directories, isr, elr };
  const rules = {
    acceptable: (id: number) => alive.includes(id),
    election: kind,
    uncleanCause: allowed ? 'a test' : undefined,
  };
  const { leader: elected, unclean } = elect({ leader, lastKnownLeader: last }, candidates, rules);
  return unclean ? `${elected} unclean` : elected;
}

describe('C-5.2, C-5.3: the election', () => {
  const cases: [string, Case, number | string][] = [
    ['keeps a valid leader', { leader: 2, isr: [1, 2, 3], alive: [1, 2, 3] }, 2],
    ['takes the first valid replica in assignment order', { leader: 2, isr: [1, 3], alive: [1, 2, 3] }, 3],
    ['passes over who is not acceptable', { leader: 2, isr: [1, 3], alive: [1, 2] }, 1],
    ['passes over who is not in the ISR', { leader: 2, isr: [1], alive: [1, 2, 3] }, 1],
    ['drops a leader that is not acceptable', { leader: 2, isr: [2], alive: [1, 3] }, -1],
    ['elects where there was no leader', { isr: [1, 2], alive: [2] }, 2],
    ['takes nobody where ISR and ELR are empty', { leader: 2, isr: [], alive: [1, 2, 3] }, -1],
    ['C-5.5: takes the first acceptable of the ELR, if the ISR is empty', { isr: [], elr: [1, 2], alive: [2, 3] }, 2],
    ['C-5.5: takes nobody of the ELR while the ISR has members', { isr: [1], elr: [2], alive: [2] }, -1],
    ['preferred: takes the first replica from a valid leader', p({ leader: 2, isr: [2, 3], alive: [2, 3] }), 3],
    ['preferred: keeps the leader, if the first is not valid', p({ leader: 2, isr: [1, 2], alive: [1, 2, 3] }), 2],
    ['preferred: elects as online where nobody leads', p({ isr: [1, 2], alive: [1, 2] }), 1],
    ['preferred: is never unclean', p({ last: 1, isr: [], alive: [1], allowed: true }), -1],
    ['unclean: is clean where somebody is valid', u({ isr: [2], alive: [1, 2, 3] }), 2],
    ['unclean: takes the first acceptable replica', u({ isr: [], elr: [3], alive: [1, 2] }), '1 unclean'],
    ['unclean: passes over an ISR that is gone', u({ isr: [3], alive: [2] }), '2 unclean'],
    ['unclean: takes nobody where nobody is acceptable', u({ isr: [3], alive: [] }), -1],
    ['C-5.6: the last known leader comes before others', u({ last: 2, isr: [], alive: [1, 2, 3] }), '2 unclean'],
    ['C-5.6: also online, where the topic allows it', { last: 2, isr: [], alive: [2], allowed: true }, '2 unclean'],
    ['C-5.6: not where nothing allows it', { last: 2, isr: [], alive: [2] }, -1],
    ['C-5.6: not while there is an ELR', { last: 2, isr: [], elr: [1], alive: [2], allowed: true }, -1],
    ['B40, C-5.6: not a fenced one', { last: 2, isr: [], alive: [1], allowed: true }, -1],
  ];
  it.each(cases)('%s', (_, state, expected) => {
    expect(electIn(state)).toBe(expected);
  });
});

function p(state: Case): Case {
  return { ...state, kind: 'preferred' };
}

function u(state: Case): Case {
  return { ...state, kind: 'unclean', allowed: true };
}

describe('C-5.1: acceptable', () => {
  const image = after(clusterOf(1, 2), registration(3)); // 3 is fenced
  const any = { replicas: [1, 2, 3, 4], directories: [ZERO_UUID, ZERO_UUID, ZERO_UUID, ZERO_UUID] };
  const of = (operation: Operation, place = any) =>
    [1, 2, 3, 4].filter((id) => acceptableIn(image, operation)(id, place));

  it('is who is registered and unfenced, as of the operation', () => {
    expect(of({})).toEqual([1, 2]);
    expect(of({ leaving: 1 })).toEqual([2]);
    expect(of({ joining: 3 })).toEqual([1, 2, 3]);
    expect(of({ joining: 3, leaving: 3 })).toEqual([1, 2]);
    expect(of({ joining: 4 })).toEqual([1, 2]);
  });

  it('is nobody who shuts down', () => {
    const brokerEpoch = image.brokers.get(1)?.brokerEpoch ?? -1;
    const brokerChange = { brokerId: 1, brokerEpoch, inControlledShutdown: true, cause: '' };
    const leaving = after(image, record({ $case: 'brokerChange', brokerChange }));
    expect(acceptableIn(leaving)(1, any)).toBe(false);
    expect(acceptableIn(leaving, { joining: 1 })(1, any)).toBe(false);
  });

  it('is only a replica, with the log dir online that holds it, or that has not said where it is', () => {
    const on = (directory: string) => ({ replicas: [1], directories: [directory] });
    expect(of({}, on(uuid(1001)))).toEqual([1]);
    expect(of({}, on(uuid(5)))).toEqual([]);
    expect(of({}, on(ZERO_UUID))).toEqual([1]);
    expect(of({ failing: { brokerId: 1, logDirs: [uuid(5)] } }, on(uuid(1001)))).toEqual([]);
    expect(of({ failing: { brokerId: 2, logDirs: [] } }, on(uuid(1001)))).toEqual([1]);
  });
});

it('knows whether a broker leads anything', () => {
  const image = after(clusterOf(1, 2), topicRecord('a', uuid(1)), partitionRecord(uuid(1), 0, [2, 1]));
  expect([1, 2, 3].filter((id) => hasLeaderships(image, id))).toEqual([2]);
});
