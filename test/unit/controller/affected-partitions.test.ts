import { describe, expect, it } from 'vitest';
import {
  brokerLeaves,
  brokerReturns,
  directoriesFailed,
  electLeaderless,
  electPreferred,
} from '../../../src/controller/decide/affected-partitions.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { after, registration, uuid } from '../metadata/fixture.ts';
import {
  brokerIs,
  clusterWith,
  config,
  fenced,
  kindsOf,
  level1With,
  MIN_ISR_2,
  stateOf,
  summary,
  UNCLEAN,
} from './partitions.ts';

const LIMIT = 100;

function leave(image: MetadataImage, brokerId: number, unclean = false): MetadataImage {
  const how = { brokerId, cause: `broker ${brokerId} fenced`, unclean, limit: LIMIT };
  const { records, isComplete } = brokerLeaves(image, electionPolicyOf(image), how);
  expect(isComplete).toBe(true);
  return after(image, ...records, brokerIs(image, brokerId, { fenced: true }));
}

function comeBack(image: MetadataImage, brokerId: number): MetadataImage {
  const how = { brokerId, cause: `broker ${brokerId} unfenced`, limit: LIMIT };
  const records = brokerReturns(image, electionPolicyOf(image), how);
  return after(image, brokerIs(image, brokerId, { fenced: false }), ...records);
}

describe('a broker leaves', () => {
  it('C-3.4, C-4.2: out of ISRs and leaderships; the leader epoch rises where the leader moves', () => {
    const image = leave(clusterWith({}, { replicas: [2, 1] }, { replicas: [2, 3] }), 1);
    expect([0, 1, 2].map((p) => summary(image, p))).toEqual(['2 of 2,3', '2 of 2, ELR 1', '2 of 2,3']);
    expect([0, 1, 2].map((p) => stateOf(image, p).leaderEpoch)).toEqual([1, 0, 0]);
    expect([0, 1, 2].map((p) => stateOf(image, p).partitionEpoch)).toEqual([1, 1, 0]);
  });

  it('says why', () => {
    const image = clusterWith({});
    const how = { brokerId: 1, cause: 'broker 1 fenced', unclean: false, limit: 1 };
    const { records } = brokerLeaves(image, electionPolicyOf(image), how);
    expect(records[0]?.kind).toMatchObject({ partitionChange: { cause: 'broker 1 fenced' } });
  });

  it('C-5.4: at level 1 the last member of an ISR stays, without leading, and is left alone then', () => {
    const first = leave(level1With({ isr: [1] }), 1);
    expect(summary(first)).toBe('none of 1');
    const again = brokerLeaves(first, electionPolicyOf(first), { brokerId: 1, cause: '', unclean: true, limit: 1 });
    expect(again).toEqual({ records: [], isComplete: true });
    expect(summary(comeBack(first, 1))).toBe('1 of 1');
  });

  it('C-5.5: below min.insync.replicas it stays eligible; the last leader is remembered, and ELRs end with enough in sync', () => {
    const start = after(clusterWith({}), MIN_ISR_2);
    const two = leave(start, 1);
    expect(summary(two)).toBe('2 of 2,3');
    const one = leave(two, 2);
    expect(summary(one)).toBe('3 of 3, ELR 2');
    const none = leave(one, 3);
    expect(summary(none)).toBe('none of , ELR 2,3, last 3');
    expect(summary(comeBack(none, 1))).toBe('none of , ELR 2,3, last 3');
    expect(summary(comeBack(none, 2))).toBe('2 of 2, ELR 3');
  });

  it('C-5.5: min.insync.replicas counts up to the replication factor', () => {
    const image = after(clusterWith({ replicas: [1, 2] }), config('t', 'min.insync.replicas', '5'));
    expect(summary(leave(image, 1))).toBe('2 of 2, ELR 1');
  });

  it('B38, C-2.4: after an unclean restart it is in no ELR, however late that is noticed', () => {
    const image = after(clusterWith({}, {}), MIN_ISR_2);
    const none = leave(leave(leave(image, 1), 2), 3);
    const lossy = leave(none, 3, true);
    expect(summary(lossy)).toBe('none of , ELR 2, last 3');
    expect(summary(comeBack(lossy, 3))).toBe('none of , ELR 2, last 3');
    expect(summary(comeBack(lossy, 2))).toBe('2 of 2');
  });

  it('DS-17, C-5.5: the last replica standing crashes, and the one before it leads instead, without loss', () => {
    const image = after(clusterWith({ isr: [1, 2] }), MIN_ISR_2);
    const alone = leave(image, 2); // below min.insync.replicas nothing is acknowledged any more
    const crashed = leave(alone, 1, true);
    expect(summary(crashed)).toBe('none of , ELR 2, last 1');
    expect(summary(comeBack(crashed, 2))).toBe('2 of 2');
  });

  it('C-5.5: the only replica of a partition leads again, whatever it lost', () => {
    const crashed = leave(clusterWith({ replicas: [1] }), 1, true);
    expect(summary(crashed)).toBe('none of , ELR 1, last 1');
    expect(summary(comeBack(crashed, 1))).toBe('1 of 1');
  });

  it('C-5.7: where the topic allows it another one is elected at once, and the log says so before', () => {
    const image = after(clusterWith({ isr: [1], leaderEpoch: 4 }), UNCLEAN);
    const how = { brokerId: 1, cause: 'broker 1 fenced', unclean: false, limit: LIMIT };
    const { records } = brokerLeaves(image, electionPolicyOf(image), how);
    expect(kindsOf(records)).toEqual(['uncleanElection', 'partitionChange']);
    expect(records[0]?.kind).toMatchObject({
      uncleanElection: {
        leader: 2,
        oldLeaderEpoch: 4,
        newLeaderEpoch: 5,
        oldIsr: [1],
        oldElr: [],
        cause: 'unclean.leader.election.enable of topic t',
      },
    });
    expect(summary(after(image, ...records))).toBe('2 of 2, recovering');
  });

  it('changes at most so many partitions, and is asked again until it is complete', () => {
    const image = clusterWith({}, {}, {}, {}, {});
    const how = { brokerId: 1, cause: '', unclean: false, limit: 2 };
    let now = image;
    const sizes: [number, boolean][] = [];
    for (let isDone = false; !isDone; ) {
      const { records, isComplete } = brokerLeaves(now, electionPolicyOf(now), how);
      sizes.push([records.length, isComplete]);
      now = after(now, ...records);
      isDone = isComplete;
    }
    expect(sizes).toEqual([
      [2, false],
      [2, false],
      [1, true],
    ]);
    expect([0, 1, 2, 3, 4].map((p) => summary(now, p))).toEqual(Array(5).fill('2 of 2,3'));
  });
});

describe('C-3.6: a broker returns', () => {
  it('leads what waits for it, and nothing else; up to a limit', () => {
    const image = fenced(clusterWith({}, { isr: [], leader: -1, elr: [1] }, { isr: [], leader: -1, elr: [2] }), 1, 2);
    const next = comeBack(image, 1);
    expect([0, 1, 2].map((p) => summary(next, p))).toEqual(['1 of 1,2,3', '1 of 1', 'none of , ELR 2']);
    expect(brokerReturns(image, electionPolicyOf(image), { brokerId: 1, cause: '', limit: 0 })).toEqual([]);
  });

  it('C-5.6, B40: leads uncleanly where it led last, and the topic allows that', () => {
    const waiting = { isr: [], leader: -1, lastKnownLeader: 3 };
    const image = fenced(clusterWith(waiting), 1, 2, 3);
    expect(summary(comeBack(image, 3))).toBe('none of , last 3');
    expect(summary(comeBack(after(image, UNCLEAN), 3))).toBe('3 of 3, recovering');
    // The last known leader is fenced still: the flag lets another one lead.
    expect(summary(comeBack(after(image, UNCLEAN), 1))).toBe('1 of 1, recovering');
  });
});

describe('C-5.9: the scan for partitions without a leader', () => {
  const waiting = { isr: [], leader: -1, elr: [1], replicas: [1, 2] };
  const scan = (image: MetadataImage, limit = LIMIT) =>
    after(image, ...electLeaderless(image, electionPolicyOf(image), limit));

  it('C-10.2: elects uncleanly as soon as the topic, or the default of all brokers, allows it', () => {
    const image = fenced(clusterWith(waiting), 1);
    expect(summary(scan(image))).toBe('none of , ELR 1');
    expect(summary(scan(after(image, UNCLEAN)))).toBe('2 of 2, recovering');
    const all = after(image, config('', 'unclean.leader.election.enable', 'true'));
    expect(summary(scan(all))).toBe('2 of 2, recovering');
    const butNotThis = after(all, config('t', 'unclean.leader.election.enable', 'false'));
    expect(summary(scan(butNotThis))).toBe('none of , ELR 1');
  });

  it('elects cleanly where that is possible, whatever is allowed', () => {
    const image = after(clusterWith(waiting, waiting), UNCLEAN);
    expect(summary(scan(image), 0)).toBe('1 of 1');
    expect(summary(scan(image, 1), 1)).toBe('none of , ELR 1');
  });

  it('at level 1 is never unclean', () => {
    const image = after(fenced(level1With({ isr: [1], leader: -1 }), 1), UNCLEAN);
    expect(electLeaderless(image, electionPolicyOf(image), LIMIT)).toEqual([]);
  });
});

describe('C-5.9: balance of leaders', () => {
  const moved = { leader: 2 };

  it('gives leadership back to first replicas that are in sync, so many in a pass', () => {
    const image = clusterWith(moved, { ...moved, isr: [2, 3] }, moved, { leader: -1, isr: [] });
    const policy = electionPolicyOf(image);
    const all = after(image, ...electPreferred(image, policy, LIMIT));
    expect([0, 1, 2, 3].map((p) => stateOf(all, p).leader)).toEqual([1, 2, 1, -1]);
    expect(electPreferred(image, policy, 1)).toHaveLength(1);
  });

  it('moves nothing to who cannot lead', () => {
    const image = clusterWith(moved);
    const policy = electionPolicyOf(image);
    expect(electPreferred(fenced(image, 1), policy, LIMIT)).toEqual([]);
  });
});

describe('log dirs fail', () => {
  it('C-5.1: the replicas in them go out of ISRs and leaderships, the others of the broker stay', () => {
    const [good, bad] = [uuid(51), uuid(52)];
    const on = (directory: string) => ({ directories: [directory, uuid(1002), uuid(1003)] });
    const image = after(
      clusterWith(on(bad), on(good), on(bad)),
      registration(1, { logDirs: [bad, good], fenced: false }),
    );
    const how = { brokerId: 1, logDirs: [good], cause: 'log dir failed', limit: 1 };
    const first = directoriesFailed(image, electionPolicyOf(image), how);
    expect(first).toMatchObject({ isComplete: false, records: [{ kind: { partitionChange: { leader: 2 } } }] });
    const all = directoriesFailed(image, electionPolicyOf(image), { ...how, limit: LIMIT });
    const next = after(image, ...all.records);
    expect(all.isComplete).toBe(true);
    expect([0, 1, 2].map((p) => summary(next, p))).toEqual(['2 of 2,3', '1 of 1,2,3', '2 of 2,3']);
  });

  it('C-5.5: without others it stays eligible, and leads again when the log dir is back', () => {
    const image = clusterWith({ replicas: [1], directories: [uuid(1001)] });
    const how = { brokerId: 1, logDirs: [], cause: '', limit: LIMIT };
    const { records } = directoriesFailed(image, electionPolicyOf(image), how);
    const failed = after(image, ...records, brokerIs(image, 1, { logDirs: { directories: [] } }));
    expect(summary(failed)).toBe('none of , ELR 1, last 1');
    expect(electLeaderless(failed, electionPolicyOf(failed), LIMIT)).toEqual([]);
    const back = after(failed, registration(1));
    expect(summary(comeBack(back, 1))).toBe('1 of 1');
  });
});

it('C-10.1: min.insync.replicas and unclean elections go by committed configs: topic, all brokers, default', () => {
  const image = clusterWith({});
  const policy = (now: MetadataImage) => {
    const its = electionPolicyOf(now);
    return [its.minIsrOf('t'), its.uncleanCause('t')];
  };
  expect(policy(image)).toEqual([2, undefined]);
  const all = after(
    image,
    config('', 'min.insync.replicas', '3'),
    config('', 'unclean.leader.election.enable', 'TRUE'),
  );
  expect(policy(all)).toEqual([3, 'unclean.leader.election.enable of all brokers']);
  expect(policy(after(all, MIN_ISR_2, UNCLEAN))).toEqual([2, 'unclean.leader.election.enable of topic t']);
});
