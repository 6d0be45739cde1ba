// The loss ledger as records make it (S-D8): what opens an entry, who answers it, what stays open, and what goes.
import { describe, expect, it } from 'vitest';
import type { PartitionChangeRecord, ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { describeLosses } from '../../../src/metadata/describe-losses.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { awaitedBy, committedLost, goneFrom, lossesOf, lostRange } from '../../../src/metadata/losses.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { MAX_LOSSES, MAX_LOSSES_PER_PARTITION } from '../../../src/metadata/replay-losses.ts';
import { after, clusterOf, partitionRecord, record, registration, topicRecord, uuid } from './fixture.ts';

const T = uuid(1);
const level = (number: number) => record({ $case: 'metadataLevel', metadataLevel: { level: number } });
const dir = (id: number): string => uuid(1000 + id);

function base(atLevel = 3): MetadataImage {
  const directories = [1, 2, 3].map(dir);
  return after(
    clusterOf(1, 2, 3, 4),
    level(atLevel),
    topicRecord('t', T),
    partitionRecord(T, 0, [1, 2, 3], { directories }),
  );
}

function change(fields: Partial<PartitionChangeRecord>, partition = 0) {
  return record({ $case: 'partitionChange', partitionChange: { topicId: T, partition, cause: 'a test', ...fields } });
}

/** An unclean election as it stands in the log. */
function elected(leader: number, oldLeaderEpoch: number, partition = 0) {
  const uncleanElection = {
    topicId: T,
    partition,
    leader,
    oldLeaderEpoch,
    newLeaderEpoch: oldLeaderEpoch + 1,
    oldIsr: [],
    oldElr: [1],
    cause: 'allowed by a test',
  };
  const state = { leader, isr: { replicas: [leader] }, elr: { replicas: [] }, recovering: true };
  return [record({ $case: 'uncleanElection', uncleanElection }), change(state, partition)];
}

function said(brokerId: number, leaderEpoch: number, fields: Partial<ReplicaLossRecord> = {}) {
  const calm = { kind: LossKind.CUT, fromOffset: 0, toOffset: 0, highWatermark: -1, reason: '' };
  return record({
    $case: 'replicaLoss',
    replicaLoss: { topicId: T, partition: 0, brokerId, leaderEpoch, ...calm, ...fields },
  });
}

const cut = (brokerId: number, leaderEpoch: number, fromOffset: number, toOffset: number, highWatermark = -1) =>
  said(brokerId, leaderEpoch, { fromOffset, toOffset, highWatermark });

/** It has nothing more to cut. */
const done = (brokerId: number, leaderEpoch: number) => cut(brokerId, leaderEpoch, 5, 5);

const entries = (image: MetadataImage) => lossesOf(image, T, 0);

describe('an unclean election', () => {
  it('S-D8 b: opens an entry that waits for every replica, with who allowed it and who had been complete', () => {
    const before = base();
    const image = after(before, ...elected(2, 0));
    expect(entries(image)).toEqual([
      {
        offset: before.endOffset,
        timestampMs: -1,
        leader: 2,
        oldLeaderEpoch: 0,
        newLeaderEpoch: 1,
        oldIsr: [],
        oldElr: [1],
        cause: 'allowed by a test',
        awaited: [1, 2, 3],
        replicas: [],
      },
    ]);
    expect([1, 2, 3, 4].map((id) => awaitedBy(image, T, 0, id))).toEqual([[1], [1], [1], []]);
    expect(awaitedBy(image, T, 1, 1)).toEqual([]);
    expect(awaitedBy(image, uuid(2), 0, 1)).toEqual([]);
  });

  it('opens none below the level of the ledger', () => {
    const image = after(base(2), ...elected(2, 0), level(3));
    expect([entries(image), image.lossCount]).toEqual([[], 0]);
  });
});

describe('what a replica says', () => {
  it('S-D8 c: is what the entry waits for; the range is that of all together', () => {
    let image = after(base(), ...elected(2, 0));
    image = after(image, said(2, 1, { kind: LossKind.LED, fromOffset: 100, toOffset: 100, highWatermark: 90 }));
    expect(entries(image)[0]?.awaited).toEqual([1, 3]);
    image = after(image, cut(1, 1, 100, 120, 110));
    expect(entries(image)[0]?.awaited, 'it may have to cut more').toEqual([1, 3]);
    image = after(image, done(1, 1));
    expect([1, 2, 3].map((id) => awaitedBy(image, T, 0, id))).toEqual([[], [], [1]]);
    image = after(image, cut(3, 1, 95, 105), done(3, 1));
    const [entry] = entries(image);
    expect(entry?.awaited).toEqual([]);
    expect(entry && lostRange(entry)).toEqual({ firstOffset: 95, endOffset: 120 });
    expect(entry && lostRange(entry, committedLost)).toEqual({ firstOffset: 100, endOffset: 110 });
    expect(entry?.replicas.map(({ brokerId, kind }) => [brokerId, kind])).toEqual([
      [2, LossKind.LED],
      [1, LossKind.CUT],
      [3, LossKind.CUT],
    ]);
  });

  it('that it had nothing counts too, and adds nothing', () => {
    const image = after(base(), ...elected(2, 0), cut(1, 1, 120, 120, 120), cut(3, 1, 80, 80));
    const [entry] = entries(image);
    expect([entry?.awaited, entry && lostRange(entry)]).toEqual([[2], { firstOffset: 0, endOffset: 0 }]);
  });

  it('a hole adds nothing: the leader had those records, and deleted them', () => {
    const hole = said(3, 1, { kind: LossKind.HOLE, fromOffset: 10, toOffset: 50, highWatermark: 10 });
    const [entry] = entries(after(base(), ...elected(2, 0), cut(1, 1, 100, 110), hole));
    expect(entry && lostRange(entry)).toEqual({ firstOffset: 100, endOffset: 110 });
  });

  it('answers every election up to its leader epoch that waits for it, and none after that', () => {
    const before = after(base(), ...elected(2, 0), ...elected(3, 1), change({ leader: 3 }), ...elected(2, 3));
    const image = after(before, cut(1, 3, 40, 60));
    expect(entries(before).map(({ newLeaderEpoch }) => newLeaderEpoch)).toEqual([1, 2, 4]);
    expect(awaitedBy(image, T, 0, 1), 'not done').toEqual([1, 2, 4]);
    expect(awaitedBy(after(image, done(1, 3)), T, 0, 1)).toEqual([4]);
    expect(entries(image).map((entry) => lostRange(entry))).toEqual([
      { firstOffset: 40, endOffset: 60 },
      { firstOffset: 40, endOffset: 60 },
      { firstOffset: 0, endOffset: 0 },
    ]);
    const later = after(image, done(1, 3), cut(1, 4, 30, 40), done(1, 4));
    expect(awaitedBy(later, T, 0, 1)).toEqual([]);
    expect(entries(later).map((entry) => lostRange(entry).firstOffset)).toEqual([40, 40, 30]);
  });

  it('S-D8 e: said again it changes nothing; with more it widens, in the same leader epoch', () => {
    const image = after(base(), ...elected(2, 0), cut(1, 1, 100, 120, 110), done(1, 1));
    expect(after(image, cut(1, 1, 100, 120, 110)).losses).toBe(image.losses);
    expect(after(image, cut(1, 1, 105, 110, 50)).losses, 'less').toBe(image.losses);
    expect(after(image, cut(1, 1, 130, 130, 110)).losses, 'nothing').toBe(image.losses);
    const wider = after(image, cut(1, 1, 80, 100, 115));
    expect(entries(wider)).toHaveLength(1);
    expect(entries(wider)[0]?.replicas).toMatchObject([{ fromOffset: 80, toOffset: 120, highWatermark: 115 }]);
    const again = after(wider, cut(1, 1, 100, 120, 110));
    expect(again.losses).toBe(wider.losses);
  });

  it('S-D8 c: in several steps, with a crash and another leader between them, is one range', () => {
    const first = after(base(), ...elected(2, 0), cut(1, 1, 100, 120, 110), change({ leader: 2 }));
    expect(awaitedBy(first, T, 0, 1)).toEqual([1]);
    const image = after(first, cut(1, 2, 80, 100, 105), done(1, 2));
    expect(entries(image)[0]?.replicas).toMatchObject([
      { fromOffset: 80, toOffset: 120, highWatermark: 110, leaderEpoch: 2 },
    ]);
    expect(awaitedBy(image, T, 0, 1)).toEqual([]);
    expect(after(image, cut(1, 1, 100, 120, 110)).losses, 'the first one again').toBe(image.losses);
  });

  it('another kind in the same leader epoch stands beside the first', () => {
    const hole = said(1, 1, { kind: LossKind.HOLE, fromOffset: 90, toOffset: 200 });
    const [entry] = entries(after(base(), ...elected(2, 0), cut(1, 1, 100, 120), hole));
    expect(entry?.replicas.map(({ kind }) => kind)).toEqual([LossKind.CUT, LossKind.HOLE]);
  });

  it('where nothing waits for it is an entry of its own, if it lost anything', () => {
    const short = said(1, 0, { kind: LossKind.SHORT, fromOffset: 70, toOffset: 80, highWatermark: 80 });
    const before = base();
    expect(after(before, cut(1, 0, 80, 80)).lossCount).toBe(0);
    const image = after(before, short);
    expect(entries(image)).toMatchObject([
      { leader: -1, oldLeaderEpoch: 0, newLeaderEpoch: 0, cause: '', awaited: [], offset: before.endOffset },
    ]);
    expect(after(image, short).losses).toBe(image.losses);
    const other = after(image, cut(3, 0, 60, 75, 75));
    expect(entries(other).map((entry) => lostRange(entry))).toEqual([
      { firstOffset: 70, endOffset: 80 },
      { firstOffset: 60, endOffset: 75 },
    ]);
  });

  it('C-0.4: of a topic that is not there ends the node', () => {
    const stray = record({
      $case: 'replicaLoss',
      replicaLoss: { ...kindOf(said(1, 0)), topicId: uuid(9) },
    });
    expect(() => after(base(), stray)).toThrow(/does not exist/);
  });
});

function kindOf({ kind }: ReturnType<typeof said>): ReplicaLossRecord {
  if (kind?.$case !== 'replicaLoss') throw new Error('no loss');
  return kind.replicaLoss;
}

describe('a replica that never says anything', () => {
  it('S-D8 c: is gone when it leaves the assignment, and stays so when it comes back empty', () => {
    const open = after(base(), ...elected(2, 0), cut(3, 1, 100, 110));
    const moved = { replicas: { replicas: [2, 3, 4] }, directories: { directories: [2, 3, 4].map(dir) } };
    const image = after(open, change(moved));
    const [entry] = entries(image);
    expect([entry?.awaited, entry && goneFrom(entry)]).toEqual([[2, 3], [1]]);
    expect(entry?.replicas.at(-1)).toMatchObject({ brokerId: 1, fromOffset: -1, reason: 'it is no replica any more' });
    expect(entry && lostRange(entry)).toEqual({ firstOffset: 100, endOffset: 110 });
    const back = after(
      image,
      change({ replicas: { replicas: [2, 3, 4, 1] }, directories: { directories: [2, 3, 4, 1].map(dir) } }),
    );
    expect(awaitedBy(back, T, 0, 1)).toEqual([]);
    expect(after(back, cut(1, 1, 0, 0)).losses).toBe(back.losses);
  });

  it('S-D8 c: is gone when it is in another log dir, as its own is lost', () => {
    const open = after(base(), ...elected(2, 0));
    const newDisk = registration(1, { logDirs: [uuid(7)], incarnationId: uuid(8), fenced: false });
    const offline = after(open, newDisk);
    expect(awaitedBy(offline, T, 0, 1), 'the disk may come back').toEqual([1]);
    const image = after(offline, change({ directories: { directories: [uuid(7), dir(2), dir(3)] } }));
    expect(awaitedBy(image, T, 0, 1)).toEqual([]);
    expect(entries(image)[0]?.replicas).toMatchObject([{ brokerId: 1, reason: `its log dir ${dir(1)} is lost` }]);
    expect(entries(image)).toHaveLength(1);
  });

  it('is awaited on when its log dir is told for the first time, or both are online', () => {
    const unknown = after(
      clusterOf(1, 2, 3),
      level(3),
      topicRecord('t', T),
      partitionRecord(T, 0, [1, 2, 3]),
      ...elected(2, 0),
      change({ directories: { directories: [1, 2, 3].map(dir) } }),
    );
    expect(entries(unknown)[0]?.awaited).toEqual([1, 2, 3]);
    const both = registration(1, { logDirs: [dir(1), uuid(7)], incarnationId: uuid(8), fenced: false });
    const image = after(unknown, both, change({ directories: { directories: [uuid(7), dir(2), dir(3)] } }));
    expect(entries(image)[0]?.awaited).toEqual([1, 2, 3]);
  });

  it('is awaited while its broker is not registered, and that is told: with its disk it may come back', () => {
    const open = after(base(), ...elected(2, 0));
    const epoch = open.brokers.get(1)?.brokerEpoch ?? -1;
    const image = after(
      open,
      record({ $case: 'unregisterBroker', unregisterBroker: { brokerId: 1, brokerEpoch: epoch } }),
    );
    const { losses } = describeLosses(image, { topics: [], onlyOpen: true });
    expect(losses).toMatchObject([{ topic: 't', partition: 0, awaited: [1, 2, 3], unregistered: [1] }]);
    const back = after(image, registration(1, { fenced: false }), cut(1, 1, 10, 20));
    expect(describeLosses(back, { topics: ['t'], onlyOpen: false }).losses).toMatchObject([
      { awaited: [1, 2, 3], unregistered: [], firstOffset: 10, endOffset: 20 },
    ]);
  });
});

describe('the log dir of the last complete replica', () => {
  const lost = registration(1, { logDirs: [uuid(7)], incarnationId: uuid(8), fenced: false });
  const elsewhere = (fields: Partial<PartitionChangeRecord> = {}) =>
    change({ directories: { directories: [uuid(7), dir(2), dir(3)] }, ...fields });

  it.each([
    ['in the ISR', { isr: { replicas: [1] } }],
    ['in the ELR', { isr: { replicas: [] }, elr: { replicas: [1] }, leader: -1 }],
    ['that led last', { isr: { replicas: [] }, leader: -1, lastKnownLeader: 1 }],
  ])('S-D8 c: %s, that is lost is a loss of its own, of unknown extent', (_, fields) => {
    const before = after(base(), change(fields), lost);
    const { leaderEpoch } = before.topics.get(T)?.partitions.get(0) ?? { leaderEpoch: -1 };
    const image = after(before, elsewhere({ leader: -1 }));
    expect(entries(image)).toMatchObject([
      { leader: -1, oldLeaderEpoch: leaderEpoch, newLeaderEpoch: leaderEpoch + 1, awaited: [] },
    ]);
    expect(entries(image).map(goneFrom)).toEqual([[1]]);
  });

  it('is none while another replica is complete', () => {
    for (const fields of [
      {},
      { isr: { replicas: [1, 2] } },
      { isr: { replicas: [] }, elr: { replicas: [1, 3] }, leader: -1 },
    ]) {
      expect(after(base(), change(fields), lost, elsewhere()).lossCount).toBe(0);
    }
  });

  it('is not told below the level of the ledger', () => {
    expect(after(base(2), change({ isr: { replicas: [1] } }), lost, elsewhere()).lossCount).toBe(0);
  });
});

describe('the ledger', () => {
  it('of a topic goes with it', () => {
    const image = after(base(), ...elected(2, 0), record({ $case: 'removeTopic', removeTopic: { topicId: T } }));
    expect([image.losses.size, image.lossCount]).toEqual([0, 0]);
  });

  it('is in snapshots, byte for byte, and goes on from there', () => {
    const image = after(
      base(),
      ...elected(2, 0),
      said(2, 1, { kind: LossKind.LED, fromOffset: 9, toOffset: 9, highWatermark: 4 }),
      ...elected(3, 1),
      cut(1, 2, 3, 9, 8),
      change({ replicas: { replicas: [2, 3] }, directories: { directories: [2, 3].map(dir) } }),
    );
    const records = imageToRecords(image);
    const bytes = (of: MetadataImage): string[] =>
      imageToRecords(of).map((one) => Buffer.from(encodeRecord(one)).toString('hex'));
    const again = imageFromRecords(decodeRecords(records.map(encodeRecord), 0), image.endOffset, image.epoch);
    expect(records.filter(({ kind }) => kind?.$case === 'partitionLoss')).toHaveLength(2);
    expect(bytes(again)).toEqual(bytes(image));
    expect(again.lossCount).toBe(2);
    expect(bytes(after(again, cut(3, 2, 5, 6)))).toEqual(bytes(after(image, cut(3, 2, 5, 6))));
  });

  it('S-X3: keeps so many of a partition: the oldest complete ones go, the oldest where none is', () => {
    let image = base();
    for (let epoch = 0; epoch < MAX_LOSSES_PER_PARTITION; epoch++) image = after(image, ...elected(2, epoch));
    image = after(image, ...elected(2, MAX_LOSSES_PER_PARTITION));
    expect(entries(image).map(({ newLeaderEpoch }) => newLeaderEpoch)[0]).toBe(2);
    expect(entries(image)).toHaveLength(MAX_LOSSES_PER_PARTITION);
    image = after(image, done(1, 4), done(2, 4), done(3, 4));
    image = after(image, ...elected(2, MAX_LOSSES_PER_PARTITION + 1));
    const kept = entries(image).map(({ newLeaderEpoch }) => newLeaderEpoch);
    expect([kept[0], kept.includes(3), kept.at(-1)], 'the oldest complete one').toEqual([
      3,
      true,
      MAX_LOSSES_PER_PARTITION + 2,
    ]);
    image = after(image, ...elected(2, MAX_LOSSES_PER_PARTITION + 2), ...elected(2, MAX_LOSSES_PER_PARTITION + 3));
    const left = entries(image).map(({ newLeaderEpoch }) => newLeaderEpoch);
    expect([left[0], left.length, image.lossCount]).toEqual([5, MAX_LOSSES_PER_PARTITION, MAX_LOSSES_PER_PARTITION]);
  });

  it('S-X3: keeps so many of all: a tenth goes at once, complete ones first', () => {
    const partitions = Math.ceil((MAX_LOSSES + 1) / MAX_LOSSES_PER_PARTITION);
    const created = Array.from({ length: partitions }, (_, i) => partitionRecord(T, i, [1, 2, 3]));
    let image = after(clusterOf(1, 2, 3), level(3), topicRecord('t', T), ...created);
    let left = MAX_LOSSES;
    for (let epoch = 0; left > 0; epoch++) {
      const batch = Array.from({ length: Math.min(left, partitions) }, (_, i) => elected(2, epoch, i)).flat();
      left -= batch.length / 2;
      image = after(image, ...batch);
    }
    expect(image.lossCount).toBe(MAX_LOSSES);
    image = after(image, ...[1, 2, 3].map((id) => done(id, 5)));
    const complete = (of: MetadataImage): number => entries(of).filter(({ awaited }) => awaited.length === 0).length;
    expect(complete(image)).toBe(5);
    image = after(image, ...elected(2, MAX_LOSSES_PER_PARTITION, partitions - 1));
    expect(image.lossCount).toBe(MAX_LOSSES + 1 - Math.ceil(MAX_LOSSES / 10));
    expect(complete(image)).toBe(0);
    const counted = [...image.losses.values()].reduce(
      (sum, of) => sum + of.reduce((count, { length }) => count + length, 0),
      0,
    );
    expect(counted).toBe(image.lossCount);
    expect(lossesOf(image, T, partitions - 1).at(-1)?.newLeaderEpoch, 'the newest').toBe(MAX_LOSSES_PER_PARTITION + 1);
  });
});
