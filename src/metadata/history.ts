// The history of a topic, or of one of its partitions, from the records that made it, in words (MetadataHistory). All lives of the
// name are followed; their topic ids tell them apart. Kept is the state of that topic alone: entries are given away as they come.
import type { Epoch, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { HistoryEntry } from '../gen/kvorum/v1/admin.ts';
import type {
  ConfigRecord,
  MetadataRecord,
  ReplicaLossRecord,
  UncleanElectionRecord,
} from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope, LossKind } from '../gen/kvorum/v1/metadata.ts';
import type { Draft } from './draft.ts';
import { draftOf } from './draft.ts';
import { changeText, listText, partitionFields, settingText, wholeText } from './fields.ts';
import type { PartitionState, TopicImage } from './image.ts';
import { EMPTY_IMAGE, topicEntity } from './image.ts';
import { lossOriginText, lossText, replicaLossText } from './loss-text.ts';
import { awaitedBy, lossesOf } from './losses.ts';
import { applyRecord } from './replay.ts';

/** Where a record stands: its offset, the epoch of its batch, and when that was decided (-1: not known). */
export interface RecordPlace {
  readonly offset: Offset;
  readonly epoch: Epoch;
  readonly timestampMs: number;
}

/** What there is to say of a record, and of which partition (-1: the topic). */
type Said = Pick<HistoryEntry, 'type' | 'topicId' | 'partition' | 'change' | 'cause'>;

export class TopicHistory {
  readonly #name: string;
  readonly #partition: number;
  #draft: Draft = draftOf(EMPTY_IMAGE);

  /** `partition` -1: the topic and all its partitions. Else that one, and the end of its topic. */
  constructor(topic: string, partition: number) {
    this.#name = topic;
    this.#partition = partition;
  }

  /** The log begins (anew) after a snapshot: what was known is forgotten. The snapshot's records follow, in `known`. */
  reset(): void {
    this.#draft = draftOf(EMPTY_IMAGE);
  }

  /** The record at `position` of the snapshot. */
  known(record: MetadataRecord, position: number): void {
    if (this.#concerns(record)) this.#apply(record, position);
  }

  /** All of the snapshot came: the state at its end. `place`: of the last record that it holds. */
  *stateAtSnapshot(place: RecordPlace): Generator<HistoryEntry, void, undefined> {
    const topic = this.#topic(this.#draft.topicIds.get(this.#name));
    if (topic === undefined) return;
    const { topicId, partitions } = topic;
    const told = { type: 'stateAtSnapshot', topicId, cause: '' };
    const { configs } = this.#draft;
    const settings = [...(configs.get(topicEntity(this.#name)) ?? [])].map(([key, value]) => `, ${key}=${value}`);
    const change = `topic with ${countText(topic)}${settings.toSorted().join('')}`;
    if (this.#partition < 0) yield this.#entry({ ...told, partition: -1, change }, place);
    for (const [partition, state] of partitions.entries()) {
      if (!this.#wants(partition)) continue;
      yield this.#entry({ ...told, partition, change: wholeText(partitionFields(state)) }, place);
      for (const loss of lossesOf(this.#draft, topicId, partition)) {
        const change = `${lossOriginText(loss)}, at offset ${loss.offset}: ${lossText(loss)}`;
        yield this.#entry({ ...told, partition, change, cause: loss.cause }, place);
      }
    }
  }

  /** The next committed record: what it did, undefined if it is of no concern. AssertionError as replay. */
  next(record: MetadataRecord, place: RecordPlace): HistoryEntry | undefined {
    if (!this.#concerns(record)) return undefined;
    const before = { ...this.#draft };
    this.#apply(record, place.offset);
    const said = this.#say(record, before);
    return said && this.#entry(said, place);
  }

  #apply(record: MetadataRecord, offset: Offset): void {
    applyRecord(this.#draft, record, offset);
    this.#draft.changed.removedTopics.clear();
  }

  #topic(topicId: Uuid | undefined, of = this.#draft): TopicImage | undefined {
    return topicId === undefined ? undefined : of.topics.get(topicId);
  }

  /** Those of other topics are not decoded any further; the level decides what a partition may be. */
  #concerns({ kind }: MetadataRecord): boolean {
    switch (kind?.$case) {
      case 'metadataLevel':
        return true;
      case 'topic':
        return kind.topic.name === this.#name;
      case 'partition':
        return this.#draft.topics.has(kind.partition.topicId);
      case 'partitionChange':
        return this.#draft.topics.has(kind.partitionChange.topicId);
      case 'uncleanElection':
        return this.#draft.topics.has(kind.uncleanElection.topicId);
      case 'replicaLoss':
        return this.#draft.topics.has(kind.replicaLoss.topicId);
      case 'partitionLoss':
        return this.#draft.topics.has(kind.partitionLoss.election?.topicId ?? '');
      case 'removeTopic':
        return this.#draft.topics.has(kind.removeTopic.topicId);
      case 'config':
        return kind.config.scope === ConfigScope.TOPIC && kind.config.entity === this.#name;
      default:
        return false;
    }
  }

  #wants(partition: number): boolean {
    return this.#partition < 0 || this.#partition === partition;
  }

  #say({ kind }: MetadataRecord, before: Draft): Said | undefined {
    switch (kind?.$case) {
      case 'topic':
        return this.#ofTopic({ type: 'topicCreated', topicId: kind.topic.topicId, change: 'topic created' });
      case 'config':
        return this.#ofTopic(this.#sayConfig(kind.config, before));
      case 'removeTopic': {
        const { topicId } = kind.removeTopic;
        const topic = this.#topic(topicId, before);
        if (topic === undefined || this.#partition >= topic.partitions.size) return undefined;
        const change = `topic with ${countText(topic)} deleted`;
        return { type: 'topicDeleted', topicId, partition: -1, change, cause: '' };
      }
      case 'partition':
        return this.#ofPartition('', kind.partition, before);
      case 'partitionChange':
        return this.#ofPartition(kind.partitionChange.cause, kind.partitionChange, before);
      case 'uncleanElection':
        return this.#wants(kind.uncleanElection.partition) ? sayUnclean(kind.uncleanElection) : undefined;
      case 'replicaLoss':
        return this.#sayLoss(kind.replicaLoss, before);
      default:
        return undefined;
    }
  }

  #ofTopic(said: Pick<Said, 'type' | 'topicId' | 'change'>): Said | undefined {
    return this.#partition < 0 ? { ...said, partition: -1, cause: '' } : undefined;
  }

  #sayConfig({ key, value }: ConfigRecord, before: Draft): Pick<Said, 'type' | 'topicId' | 'change'> {
    const old = before.configs.get(topicEntity(this.#name))?.get(key);
    const topicId = before.topicIds.get(this.#name) ?? '';
    return { type: 'configChanged', topicId, change: `${settingText(key, old)} → ${value ?? 'not set'}` };
  }

  #ofPartition(cause: string, at: { topicId: Uuid; partition: number }, before: Draft): Said | undefined {
    const { topicId, partition } = at;
    const now = this.#topic(topicId)?.partitions.get(partition);
    if (now === undefined || !this.#wants(partition)) return undefined;
    const old = this.#topic(topicId, before)?.partitions.get(partition);
    const fields = partitionFields(now);
    if (old === undefined) return { type: 'partitionCreated', topicId, partition, change: wholeText(fields), cause };
    return { type: changeType(old, now), topicId, partition, change: changeText(partitionFields(old), fields), cause };
  }

  #sayLoss(record: ReplicaLossRecord, before: Draft): Said | undefined {
    const { topicId, partition, brokerId } = record;
    if (!this.#wants(partition)) return undefined;
    const left = awaitedBy(this.#draft, topicId, partition, brokerId);
    const answered = awaitedBy(before, topicId, partition, brokerId).filter((epoch) => !left.includes(epoch));
    const isEnd = record.kind === LossKind.CUT && record.fromOffset === record.toOffset;
    const said = isEnd ? `broker ${brokerId} has nothing more to cut` : replicaLossText(record);
    const elections =
      answered.length === 0 ? '' : `, as asked since the unclean election of leader epoch ${answered.join(' and ')}`;
    return { type: 'replicaLoss', topicId, partition, change: `${said}${elections}`, cause: '' };
  }

  #entry(said: Said, { offset, epoch, timestampMs }: RecordPlace): HistoryEntry {
    return { offset, epoch, timestampMs, topic: this.#name, ...said };
  }
}

function countText({ partitions }: TopicImage): string {
  return partitions.size === 1 ? '1 partition' : `${partitions.size} partitions`;
}

/** What is most worth knowing of the change. */
function changeType(before: PartitionState, after: PartitionState): string {
  const differs = (...parts: ('replicas' | 'adding' | 'removing' | 'isr' | 'elr' | 'directories')[]): boolean =>
    parts.some((part) => before[part].join() !== after[part].join());
  if (after.leader !== before.leader) return 'leaderChanged';
  if (before.recovering && !after.recovering) return 'recovered';
  if (differs('replicas', 'adding', 'removing')) return 'reassigned';
  if (differs('isr')) return 'isrChanged';
  if (differs('elr')) return 'elrChanged';
  if (differs('directories')) return 'directoriesChanged';
  return after.leaderEpoch === before.leaderEpoch ? 'partitionChanged' : 'leaderEpochRaised';
}

function sayUnclean(election: UncleanElectionRecord): Said {
  const { topicId, partition, leader, oldLeaderEpoch, newLeaderEpoch, oldIsr, oldElr, cause } = election;
  const change =
    `broker ${leader} is made leader uncleanly, leader epoch ${oldLeaderEpoch} → ${newLeaderEpoch}: it may lack records that ` +
    `were acknowledged before; the ISR was ${listText(oldIsr)}, the ELR ${listText(oldElr)}`;
  return { type: 'uncleanElection', topicId, partition, change, cause };
}
