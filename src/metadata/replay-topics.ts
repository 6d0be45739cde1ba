// Applies records of topics and partitions: see replay.ts.
import { List } from 'immutable';
import { assert, must } from '../base/assert.ts';
import type { NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { PartitionChangeRecord, PartitionRecord, TopicRecord } from '../gen/kvorum/v1/metadata.ts';
import type { Draft } from './draft.ts';
import { closeTopics, setPartitionOf } from './draft.ts';
import type { PartitionState, TopicImage } from './image.ts';
import { collisionKey, topicEntity } from './image.ts';
import { dropLosses, noteGone } from './replay-losses.ts';
import { sharedDirectories, sharedIds } from './shared-lists.ts';

export function applyTopic(draft: Draft, { name, topicId }: TopicRecord): void {
  assert(!draft.topicIds.has(name), `topic ${name} is created but exists`);
  assert(!draft.topics.has(topicId), `topic id ${topicId} is used twice`);
  draft.topicIds = draft.topicIds.set(name, topicId);
  const key = collisionKey(name);
  if (key !== undefined) draft.collidingNames = draft.collidingNames.set(key, name);
  draft.topics = draft.topics.set(topicId, { name, topicId, partitions: List() });
  draft.changed.topics.add(topicId);
}

/** C-4.3, C-5.4: below metadata level 2 the ISR is never empty, and there is no ELR. */
function assertSound(state: PartitionState, level: number, what: () => string): void {
  const { replicas, isr, elr, leader, recovering, directories } = state;
  assert(replicas.length > 0 && isSubset(replicas, replicas), () => `${what()}: bad replicas [${replicas.join()}]`);
  assert(
    (isr.length > 0 || level >= 2) && isSubset(isr, replicas),
    () => `${what()}: ISR [${isr.join()}] does not fit replicas [${replicas.join()}]`,
  );
  assert(
    isSubset(elr, replicas) && !elr.some((id) => isr.includes(id)),
    () => `${what()}: ELR [${elr.join()}] does not fit ISR [${isr.join()}] of replicas [${replicas.join()}]`,
  );
  assert(leader === NO_NODE || isr.includes(leader), () => `${what()}: leader ${leader} is not in ISR [${isr.join()}]`);
  assert(!recovering || isr.length <= 1, () => `${what()}: recovers with ISR [${isr.join()}]`);
  assert(directories.length === replicas.length, () => `${what()}: not one directory per replica`);
  assert(
    isSubset(state.adding, replicas) && isSubset(state.removing, replicas),
    () => `${what()}: adds [${state.adding.join()}], removes [${state.removing.join()}] of [${replicas.join()}]`,
  );
}

/** Whether all of `ids` are different and in `all`. These lists are short. */
function isSubset(ids: readonly NodeId[], all: readonly NodeId[]): boolean {
  return ids.every((id, i) => all.includes(id) && ids.indexOf(id) === i);
}

function setPartition(draft: Draft, topic: TopicImage, partition: number, state: PartitionState): void {
  assertSound(state, draft.level, () => `partition ${topic.name}-${partition}`);
  setPartitionOf(draft, topic, partition, state);
  draft.changed.topics.add(topic.topicId);
}

export function applyPartition(draft: Draft, record: PartitionRecord, offset: Offset): void {
  const topic = must(draft.topics.get(record.topicId), `topic ${record.topicId} of a new partition`);
  assert(
    record.partition === topic.partitions.size,
    () => `partition ${topic.name}-${record.partition} is created, but the topic has ${topic.partitions.size}`,
  );
  const { leader, leaderEpoch, partitionEpoch, recovering } = record;
  const replicas = sharedIds(record.replicas);
  setPartition(draft, topic, record.partition, {
    replicas,
    isr: sharedIds(record.isr),
    elr: sharedIds(record.elr),
    leader,
    lastKnownLeader: record.lastKnownLeader ?? NO_NODE,
    recovering,
    leaderEpoch,
    partitionEpoch,
    directories: ownedBy(draft, replicas, record.directories),
    adding: sharedIds(record.adding),
    removing: sharedIds(record.removing),
    leaderOffset: record.leaderOffset ?? offset,
  });
}

export function applyPartitionChange(draft: Draft, record: PartitionChangeRecord, offset: Offset): void {
  const topic = must(draft.topics.get(record.topicId), `topic ${record.topicId} of a changed partition`);
  assert(record.partition >= 0, `topic ${topic.name} has no partition ${record.partition}`);
  const state = must(topic.partitions.get(record.partition), `partition ${topic.name}-${record.partition}`);
  const setsLeader = record.leader !== undefined;
  const replicas = changed(record.replicas?.replicas, state.replicas);
  const next: PartitionState = {
    replicas,
    isr: changed(record.isr?.replicas, state.isr),
    elr: changed(record.elr?.replicas, state.elr),
    leader: record.leader ?? state.leader,
    lastKnownLeader: record.lastKnownLeader ?? state.lastKnownLeader,
    recovering: record.recovering ?? state.recovering,
    leaderEpoch: setsLeader ? state.leaderEpoch + 1 : state.leaderEpoch, // C-4.2
    partitionEpoch: state.partitionEpoch + 1, // C-4.2
    directories:
      record.directories === undefined ? state.directories : ownedBy(draft, replicas, record.directories.directories),
    adding: changed(record.adding?.replicas, state.adding),
    removing: changed(record.removing?.replicas, state.removing),
    leaderOffset: setsLeader ? offset : state.leaderOffset,
  };
  setPartition(draft, topic, record.partition, next);
  noteGone(draft, { topicId: record.topicId, partition: record.partition, offset }, state, next);
}

function changed(to: readonly NodeId[] | undefined, from: readonly NodeId[]): readonly NodeId[] {
  return to === undefined ? from : sharedIds(to);
}

/** The ids as the registrations of the brokers have them: one text for a directory, not one for each of its replicas. */
function ownedBy(draft: Draft, replicas: readonly NodeId[], directories: readonly Uuid[]): readonly Uuid[] {
  const ids = directories.map((id, i) => {
    if (id === ZERO_UUID) return ZERO_UUID;
    const broker = draft.brokers.get(replicas[i] ?? NO_NODE);
    return broker?.logDirs.find((its) => its === id) ?? id;
  });
  return sharedDirectories(ids, replicas);
}

export function applyRemoveTopic(draft: Draft, topicId: Uuid): void {
  const topic = must(draft.topics.get(topicId), `topic ${topicId}, which a record removes,`);
  closeTopics(draft);
  for (const state of topic.partitions) draft.loads.changed(state, undefined);
  dropLosses(draft, topicId);
  draft.topics = draft.topics.delete(topicId);
  draft.topicIds = draft.topicIds.delete(topic.name);
  const key = collisionKey(topic.name);
  if (key !== undefined && draft.collidingNames.get(key) === topic.name) {
    draft.collidingNames = draft.collidingNames.delete(key);
  }
  draft.configs = draft.configs.delete(topicEntity(topic.name));
  draft.changed.topics.delete(topicId);
  draft.changed.configs.delete(topicEntity(topic.name));
  draft.changed.removedTopics.set(topicId, topic);
}
