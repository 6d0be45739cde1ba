// What replicas report for the loss ledger (S-D8): which reports are taken, once, and what is answered to the others.
import { describe, expect, it } from 'vitest';
import { decideReportLosses, MAX_LOSSES_PER_REQUEST } from '../../../src/controller/decide/report-losses.ts';
import type { ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { levelOf } from '../../../src/metadata/level.ts';
import { awaitedBy, lossesOf, lostRange } from '../../../src/metadata/losses.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';

const T = uuid(1);
const level = (number: number) => record({ $case: 'metadataLevel', metadataLevel: { level: number } });

function base(atLevel = 3): MetadataImage {
  return after(
    clusterOf(1, 2, 3, 4),
    level(atLevel),
    topicRecord('t', T),
    partitionRecord(T, 0, [1, 2, 3], { leaderEpoch: 4 }),
    partitionRecord(T, 1, [1, 2, 3]),
  );
}

/** Broker 2 is elected uncleanly in leader epoch 5. */
function open(image = base()): MetadataImage {
  const at = { topicId: T, partition: 0 };
  const election = { ...at, leader: 2, oldLeaderEpoch: 4, newLeaderEpoch: 5, oldIsr: [1], oldElr: [], cause: 'a test' };
  const change = { ...at, leader: 2, isr: { replicas: [2] }, recovering: true, cause: 'a test' };
  return after(
    image,
    record({ $case: 'uncleanElection', uncleanElection: election }),
    record({ $case: 'partitionChange', partitionChange: change }),
  );
}

function loss(fields: Partial<ReplicaLossRecord> = {}): ReplicaLossRecord {
  const calm = { topicId: T, partition: 0, brokerId: 1, leaderEpoch: 5, kind: LossKind.CUT, reason: '' };
  return { ...calm, fromOffset: 10, toOffset: 20, highWatermark: 15, ...fields };
}

function report(image: MetadataImage, losses: ReplicaLossRecord[], brokerId = 1) {
  const decided = decideReportLosses(image, { brokerId, brokerEpoch: 1, losses });
  if ('refused' in decided) throw new Error(`${decided.refused} ${decided.reason}: ${decided.message}`);
  const next = after(image, ...decided.records);
  return { image: next, records: decided.records, answers: decided.respond(next).losses };
}

const errors = (image: MetadataImage, ...losses: ReplicaLossRecord[]) =>
  report(image, losses).answers.map(({ error }) => error?.name);

describe('ReportLosses', () => {
  it('S-D8: puts what a replica says into the ledger', () => {
    const { image, records, answers } = report(open(), [loss()]);
    expect(answers).toEqual([{ topicId: T, partition: 0, error: undefined }]);
    expect(records.map(({ kind }) => kind?.$case)).toEqual(['replicaLoss']);
    expect(awaitedBy(image, T, 0, 1)).toEqual([5]);
    expect(awaitedBy(report(image, [loss({ toOffset: 10 })]).image, T, 0, 1)).toEqual([]);
    expect(lossesOf(image, T, 0).map((entry) => lostRange(entry))).toEqual([{ firstOffset: 10, endOffset: 20 }]);
    expect(records.map(levelOf)).toEqual([3]);
  });

  it('S-D8 e: writes nothing for what is known, also within one request', () => {
    const first = report(open(), [loss(), loss()]);
    expect(first.records).toHaveLength(1);
    expect(first.answers.map(({ error }) => error)).toEqual([undefined, undefined]);
    const again = report(first.image, [loss(), loss({ fromOffset: 12, highWatermark: 3 })]);
    expect(again.records).toEqual([]);
    expect(again.answers.map(({ error }) => error)).toEqual([undefined, undefined]);
    expect(report(first.image, [loss({ fromOffset: 5, toOffset: 10 })]).records).toHaveLength(1);
  });

  it('takes nothing lost for an answer where somebody waits for it, and else for nothing', () => {
    const nothing = loss({ fromOffset: 20 });
    expect(report(open(), [nothing]).records).toHaveLength(1);
    expect(report(base(), [{ ...nothing, leaderEpoch: 4 }])).toMatchObject({
      records: [],
      answers: [{ error: undefined }],
    });
  });

  it('each on its own, several of a broker in one batch', () => {
    const losses = [loss(), loss({ partition: 7 }), loss({ partition: 1, leaderEpoch: 0, kind: LossKind.SHORT })];
    const { image, records, answers } = report(open(), losses);
    expect(records).toHaveLength(2);
    expect(answers.map(({ error }) => error?.name)).toEqual([undefined, 'UNKNOWN_TOPIC_OR_PARTITION', undefined]);
    expect(lossesOf(image, T, 1)).toMatchObject([{ leader: -1, newLeaderEpoch: 0 }]);
  });

  it('does not believe what a reason says of it', () => {
    const { image } = report(open(), [loss({ reason: 'x'.repeat(1000) })]);
    expect(lossesOf(image, T, 0)[0]?.replicas).toMatchObject([{ reason: '' }]);
  });

  it.each([
    ['a topic that is not there', { topicId: uuid(9) }, 'UNKNOWN_TOPIC_ID', /no topic with id/],
    ['a partition that is not there', { partition: 2 }, 'UNKNOWN_TOPIC_OR_PARTITION', /no partition 2/],
    ['no partition', { partition: -1 }, 'UNKNOWN_TOPIC_OR_PARTITION', /no partition -1/],
    ['another broker', { brokerId: 2 }, 'INVALID_REQUEST', /broker_id is 2.*broker 1 speaks for itself/],
    ['a leader epoch to come', { leaderEpoch: 6 }, 'NOT_CONTROLLER', /leader_epoch 6 of t-0 is newer than 5/],
    ['no leader epoch', { leaderEpoch: -1 }, 'INVALID_REQUEST', /leader_epoch is -1/],
    ['no kind', { kind: LossKind.UNSPECIFIED }, 'INVALID_REQUEST', /kind is 0/],
    ['a kind that nobody says', { kind: LossKind.GONE }, 'INVALID_REQUEST', /kind is 5/],
    ['an offset below 0', { fromOffset: -1 }, 'INVALID_REQUEST', /from_offset is -1/],
    ['a range that goes back', { toOffset: 9 }, 'INVALID_REQUEST', /to_offset 9 is before from_offset 10/],
    ['a high watermark below none', { highWatermark: -2 }, 'INVALID_REQUEST', /high_watermark is -2/],
  ] as const)('refuses %s, with the field', (_, fields, name, message) => {
    const { records, answers } = report(open(), [loss(fields)]);
    expect(records).toEqual([]);
    expect(answers).toMatchObject([{ error: { name, message: expect.stringMatching(message) } }]);
  });

  it('is for replicas, and for those that were when it was asked of them', () => {
    const stranger = report(open(), [loss({ brokerId: 4 })], 4);
    expect(stranger.answers).toMatchObject([
      { error: { name: 'INVALID_REQUEST', message: 'broker 4 has no replica of t-0' } },
    ]);
    const change = { topicId: T, partition: 0, cause: 'moved', replicas: { replicas: [2, 3] } };
    const directories = { directories: [uuid(1002), uuid(1003)] };
    const left = after(open(), record({ $case: 'partitionChange', partitionChange: { ...change, directories } }));
    expect(errors(left, loss())).toEqual([undefined]);
    expect(report(left, [loss()]).records).toHaveLength(1);
  });

  it('needs metadata level 3, and says how to get there', () => {
    const decided = decideReportLosses(base(2), { brokerId: 1, brokerEpoch: 1, losses: [loss({ leaderEpoch: 4 })] });
    expect(decided).toMatchObject({ refused: 'INVALID_ARGUMENT', reason: 'UNSUPPORTED_VERSION' });
    expect(decided).toMatchObject({ message: expect.stringMatching(/level 3.*kvorum cluster upgrade/) });
  });

  it('C-0.6: takes so many at once, and leaves the others for another call', () => {
    const many = Array.from({ length: MAX_LOSSES_PER_REQUEST + 1 }, () => loss());
    const answers = errors(open(), ...many);
    expect(new Set(answers.slice(0, -1))).toEqual(new Set([undefined]));
    expect(answers.at(-1)).toBe('OPERATION_NOT_ATTEMPTED');
  });
});
