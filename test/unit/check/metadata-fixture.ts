// Metadata logs for tests of their checker: written as the generated records are, and committed batch by batch.
import { MetadataHistory } from '../../../src/check/metadata.ts';
import type {
  SeenKind,
  SeenPartitionChange,
  SeenRegistration,
  SeenReplicaLoss,
  SeenUncleanElection,
} from '../../../src/check/metadata-records.ts';
import type { Violation } from '../../../src/check/violation.ts';

export const T = 'topic-t';

export const level = (number: number): SeenKind => ({ $case: 'metadataLevel', metadataLevel: { level: number } });

export function registered(brokerId: number, fields: Partial<SeenRegistration> = {}): SeenKind {
  const incarnationId = `incarnation ${brokerId}`;
  const registerBroker = {
    brokerId,
    incarnationId,
    logDirs: [`dir ${brokerId}`],
    bootCounter: 1,
    cleanStart: true,
    ...fields,
  };
  return { $case: 'registerBroker', registerBroker };
}

/** The broker's epoch is that of `cluster()` if not given: its id. */
export function broker(brokerId: number, fields: object, brokerEpoch = brokerId): SeenKind {
  return { $case: 'brokerChange', brokerChange: { brokerId, brokerEpoch, ...fields } };
}

export const topic = (name: string, topicId: string): SeenKind => ({ $case: 'topic', topic: { name, topicId } });

export function partition(fields: object = {}): SeenKind {
  const calm = { topicId: T, partition: 0, replicas: [1, 2, 3], isr: [1, 2, 3], elr: [], leader: 1, recovering: false };
  return { $case: 'partition', partition: { ...calm, leaderEpoch: 0, partitionEpoch: 0, ...fields } };
}

interface Change extends Omit<SeenPartitionChange, 'topicId' | 'partition' | 'isr' | 'elr' | 'replicas'> {
  readonly isr?: readonly number[];
  readonly elr?: readonly number[];
  readonly replicas?: readonly number[];
}

export function change({ isr, elr, replicas, ...fields }: Change): SeenKind {
  const list = (of: readonly number[] | undefined) => (of === undefined ? undefined : { replicas: of });
  const lists = { isr: list(isr), elr: list(elr), replicas: list(replicas) };
  return { $case: 'partitionChange', partitionChange: { topicId: T, partition: 0, ...fields, ...lists } };
}

export function unclean(fields: Partial<SeenUncleanElection>): SeenKind {
  const calm = { topicId: T, partition: 0, leader: 3, oldLeaderEpoch: 1, newLeaderEpoch: 2, oldIsr: [], oldElr: [] };
  return { $case: 'uncleanElection', uncleanElection: { ...calm, cause: 'because', ...fields } };
}

export function loss(fields: Partial<SeenReplicaLoss> = {}): SeenKind {
  const calm = { topicId: T, partition: 0, brokerId: 2, leaderEpoch: 0, kind: 2, fromOffset: 5, toOffset: 5 };
  return { $case: 'replicaLoss', replicaLoss: { ...calm, ...fields } };
}

export function config(entity: string, key: string, value: string | undefined): SeenKind {
  return { $case: 'config', config: { scope: entity === '' ? 2 : 1, entity, key, value } };
}

export const command = (sequence: number, clientId = 'client'): SeenKind => ({
  $case: 'command',
  command: { clientId, sequence, method: 'm', reply: new Uint8Array() },
});

/** Commits one batch of these. */
export function commit(history: MetadataHistory, ...kinds: SeenKind[]): Violation | undefined {
  const baseOffset = history.endOffset;
  return history.commit({ baseOffset, endOffset: baseOffset + kinds.length, records: kinds.map((kind) => ({ kind })) });
}

/** Commits batches that are all good. */
export function commitAll(history: MetadataHistory, ...batches: SeenKind[][]): MetadataHistory {
  for (const batch of batches) {
    const found = commit(history, ...batch);
    if (found !== undefined) throw new Error(`${found.property}: ${found.detail}`);
  }
  return history;
}

/** Brokers 1 to 3, of epochs 1 to 3, and topic t with one partition on them. */
export function cluster(metadataLevel = 2): MetadataHistory {
  const ids = [1, 2, 3];
  return commitAll(
    new MetadataHistory(),
    [level(metadataLevel)],
    ...ids.map((id) => [registered(id)]),
    ids.map((id) => broker(id, { fenced: false })),
    [topic('t', T), partition()],
  );
}
