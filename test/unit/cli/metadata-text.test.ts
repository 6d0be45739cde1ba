// How records of the metadata log are printed.
import { expect, test } from 'vitest';
import { uuidFromBytes } from '../../../src/base/uuid.ts';
import { recordLine, recordObject, recordsOfBatch } from '../../../src/cli/metadata-text.ts';
import { ConfigScope, LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { encodeRecord, metadataRecord } from '../../../src/metadata/record.ts';
import { batchMessage } from '../../../src/quorum/admin-messages.ts';
import { encodeControlRecord } from '../../../src/raft/control-record.ts';

const directoryId = uuidFromBytes(Buffer.alloc(16, 7));

function linesOf(batch: Parameters<typeof batchMessage>[0], from = 0): string[] {
  return recordsOfBatch(batchMessage(batch, from)).map(recordLine);
}

/** Where a record has no time of its own. */
const noTime = ' '.repeat('2026-01-31T12:00:00.000Z'.length);

test('a record is a line: offset, epoch, time of its batch, kind, fields', () => {
  const records = [
    metadataRecord({ $case: 'topic', topic: { name: 'orders', topicId: 'id' } }),
    metadataRecord({
      $case: 'brokerChange',
      brokerChange: {
        brokerId: 4,
        brokerEpoch: 3,
        fenced: false,
        inControlledShutdown: undefined,
        cause: 'session expired',
      },
    }),
  ];
  const batch = { baseOffset: 12, epoch: 3, control: false, records: records.map(encodeRecord) };
  expect(linesOf(batch)).toEqual([
    `      12     3  ${noTime}  topic            name=orders topicId=id`,
    `      13     3  ${noTime}  brokerChange     brokerId=4 brokerEpoch=3 fenced=false cause="session expired"`,
  ]);
  expect(linesOf(batch, 13)).toEqual([
    `      13     3  ${noTime}  brokerChange     brokerId=4 brokerEpoch=3 fenced=false cause="session expired"`,
  ]);
});

test('times are written for people, and how many bytes there are', () => {
  const first = {
    ...metadataRecord({
      $case: 'command',
      command: { clientId: 'id', sequence: 1, method: 'CreateTopics', reply: Buffer.from([1, 2, 255]) },
    }),
    timestampMs: 1_769_860_800_000,
  };
  const batch = { baseOffset: 12, epoch: 3, control: false, records: [encodeRecord(first)] };
  expect(linesOf(batch)).toEqual([
    '      12     3  2026-01-31T12:00:00.000Z  command          clientId=id sequence=1 method=CreateTopics reply=<3 bytes>',
  ]);
  expect(recordsOfBatch(batchMessage(batch, 0)).map((record) => recordObject(record))).toMatchObject([
    { type: 'record', offset: 12, epoch: 3, timestampMs: 1_769_860_800_000, kind: 'command', command: { sequence: 1 } },
  ]);
});

test('whose config a record is about has a name', () => {
  const config = { scope: ConfigScope.BROKER, entity: '', key: 'log.flush.mode', value: 'async' };
  const records = [metadataRecord({ $case: 'config', config })];
  expect(linesOf({ baseOffset: 7, epoch: 2, control: false, records: records.map(encodeRecord) })).toEqual([
    `       7     2  ${noTime}  config           scope=broker key=log.flush.mode value=async`,
  ]);
});

test('control records, all kinds', () => {
  const voter = { id: 1, directoryId, endpoint: 'c1:9093' };
  const records = [
    encodeControlRecord({ type: 'leaderChange', leader: voter, voters: [voter], grantingVoters: [voter] }),
    encodeControlRecord({ type: 'voters', voters: [voter] }),
    encodeControlRecord({
      type: 'recovery',
      replica: voter,
      previousVoters: [voter, { ...voter, id: 2, endpoint: '[::1]:9093' }],
      committedEndOffset: 5,
      timestampMs: 1000,
    }),
    Buffer.from('ff', 'hex'),
  ];
  expect(linesOf({ baseOffset: 0, epoch: 1, control: true, records })).toEqual([
    `       0     1  ${noTime}  leaderChange     leader={nodeId=1 directoryId=${directoryId}} voters=[{nodeId=1 directoryId=${directoryId}}] grantingVoters=[{nodeId=1 directoryId=${directoryId}}]`,
    `       1     1  ${noTime}  voters           voters=[{nodeId=1 directoryId=${directoryId} endpoint=c1:9093}]`,
    `       2     1  ${noTime}  recovery         replica={nodeId=1 directoryId=${directoryId}} previousVoters=[{nodeId=1 directoryId=${directoryId} endpoint=c1:9093}, {nodeId=2 directoryId=${directoryId} endpoint="[::1]:9093"}] committedEndOffset=5 timestampMs=1970-01-01T00:00:01.000Z`,
    `       3     1  ${noTime}  unknown          hex=ff`,
  ]);
});

test('a record of a newer version is shown as unknown', () => {
  // Field 99 of the oneof, which this version does not have.
  const batch = { baseOffset: 7, epoch: 2, control: false, records: [Buffer.from('9a0600', 'hex')] };
  expect(linesOf(batch)).toEqual([`       7     2  ${noTime}  unknown`]);
});

test('how a replica lost something has a name, in the log and in snapshots', () => {
  const at = { topicId: 'id', partition: 0 };
  const replicaLoss = {
    ...at,
    brokerId: 4,
    leaderEpoch: 6,
    kind: LossKind.CUT,
    fromOffset: 100,
    toOffset: 104,
    highWatermark: 102,
    reason: '',
  };
  const election = { ...at, leader: 5, oldLeaderEpoch: 5, newLeaderEpoch: 6, oldIsr: [], oldElr: [4], cause: 'asked' };
  const said = { offset: 12, timestampMs: -1, awaited: [6], replicas: [replicaLoss] };
  const records = [
    metadataRecord({ $case: 'replicaLoss', replicaLoss }),
    metadataRecord({ $case: 'partitionLoss', partitionLoss: { election, ...said } }),
  ];
  const batch = { baseOffset: 12, epoch: 3, control: false, records: records.map(encodeRecord) };
  const loss = 'topicId=id partition=0 brokerId=4 leaderEpoch=6 kind=cut fromOffset=100 toOffset=104 highWatermark=102';
  const by = 'topicId=id partition=0 leader=5 oldLeaderEpoch=5 newLeaderEpoch=6 oldIsr=[] oldElr=[4] cause=asked';
  expect(linesOf(batch)).toEqual([
    `      12     3  ${noTime}  replicaLoss      ${loss}`,
    `      13     3  ${noTime}  partitionLoss    election={${by}} offset=12 timestampMs=- awaited=[6] replicas=[{${loss}}]`,
  ]);
});
