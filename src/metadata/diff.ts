// What is different in the second of two images, in a fixed order (DiffMetadata). What both share is passed over without a look
// into it: images that are close share most of what they hold.
import type { Map as ImmutableMap } from 'immutable';
import { Map as emptyMap } from 'immutable';
import type { Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { DiffEntry } from '../gen/kvorum/v1/admin.ts';
import type { Field } from './fields.ts';
import { brokerFields, changedFields, partitionFields, settingText, textOf, topicFields, wholeText } from './fields.ts';
import type { ConfigEntity, MetadataImage, PartitionState, TopicImage } from './image.ts';
import type { PartitionLoss } from './loss-entry.ts';
import { lossOriginText, lossText } from './loss-text.ts';

/** Metadata level, brokers by id, topics by name each with its partitions, configs by entity, producer ids, losses, commands. */
export function* diffImages(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  if (before.level !== after.level) yield entry('metadata level', levelText(before.level), levelText(after.level));
  yield* diffBrokers(before, after);
  yield* diffTopics(before, after);
  yield* diffConfigs(before, after);
  if (before.nextProducerId !== after.nextProducerId) {
    yield entry('producer ids', `next ${before.nextProducerId}`, `next ${after.nextProducerId}`);
  }
  yield* diffLosses(before, after);
  if (before.commands !== after.commands) yield* diffCommands(before, after);
}

function entry(subject: string, before: string | undefined, after: string | undefined): DiffEntry {
  return { subject, before, after };
}

/** Both there: what changed of it. One there: all of it. Undefined where nothing is to be said. */
function fieldsEntry(subject: string, before: Field[] | undefined, after: Field[] | undefined): DiffEntry | undefined {
  if (before === undefined || after === undefined) {
    return entry(subject, before && wholeText(before), after && wholeText(after));
  }
  const changed = changedFields(before, after);
  if (changed.length === 0) return undefined;
  const side = (of: 'before' | 'after'): string => textOf(changed.map((pair) => pair[of]));
  return entry(subject, side('before'), side('after'));
}

function levelText(level: number): string | undefined {
  return level === 0 ? undefined : String(level);
}

/** Keys of which the values are not the same object. */
function changedKeys<K, V>(before: ImmutableMap<K, V>, after: ImmutableMap<K, V>): K[] {
  if (before === after) return [];
  const keys: K[] = [];
  for (const [key, value] of before) if (after.get(key) !== value) keys.push(key);
  for (const key of after.keys()) if (!before.has(key)) keys.push(key);
  return keys;
}

function* diffBrokers(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  for (const id of changedKeys(before.brokers, after.brokers).toSorted((a, b) => a - b)) {
    const [old, now] = [before.brokers.get(id), after.brokers.get(id)];
    const changed = fieldsEntry(`broker ${id}`, old && brokerFields(old), now && brokerFields(now));
    if (changed !== undefined) yield changed;
  }
}

function* diffTopics(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  const pairs = changedKeys(before.topics, after.topics).map((id): TopicPair => {
    const [old, now] = [before.topics.get(id), after.topics.get(id)];
    return { name: (now ?? old)?.name ?? '', id, old, now };
  });
  // One name may have been deleted and created again: what is gone comes first.
  const isNew = ({ old }: TopicPair): number => (old === undefined ? 1 : 0);
  for (const pair of pairs.toSorted((a, b) => compare(a.name, b.name) || isNew(a) - isNew(b))) yield* diffTopic(pair);
}

interface TopicPair {
  readonly name: string;
  readonly id: Uuid;
  readonly old: TopicImage | undefined;
  readonly now: TopicImage | undefined;
}

/** By UTF-16 code unit. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function* diffTopic({ name, old, now }: TopicPair): Generator<DiffEntry, void, undefined> {
  const changed = fieldsEntry(`topic ${name}`, old && topicFields(old), now && topicFields(now));
  if (changed !== undefined) yield changed;
  if (old?.partitions === now?.partitions) return;
  const count = Math.max(old?.partitions.size ?? 0, now?.partitions.size ?? 0);
  for (let partition = 0; partition < count; partition++) {
    const [was, is] = [old?.partitions.get(partition), now?.partitions.get(partition)];
    const of = was === is ? undefined : diffPartition(`partition ${name}-${partition}`, was, is);
    if (of !== undefined) yield of;
  }
}

function diffPartition(
  subject: string,
  before: PartitionState | undefined,
  after: PartitionState | undefined,
): DiffEntry | undefined {
  return fieldsEntry(subject, before && partitionFields(before), after && partitionFields(after));
}

function* diffConfigs(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  for (const entity of changedKeys(before.configs, after.configs).toSorted(compare)) {
    const [old, now] = [before.configs.get(entity), after.configs.get(entity)];
    const keys = [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])].toSorted(compare);
    const changed = keys.filter((key) => old?.get(key) !== now?.get(key));
    const side = (of: ImmutableMap<string, string> | undefined): string | undefined =>
      of && changed.map((key) => settingText(key, of.get(key))).join(', ');
    if (changed.length > 0) yield entry(configSubject(entity), side(old), side(now));
  }
}

function configSubject(entity: ConfigEntity): string {
  const [scope, name] = [entity.slice(0, entity.indexOf(':')), entity.slice(entity.indexOf(':') + 1)];
  return scope === 'broker' && name === '' ? 'config all brokers' : `config ${scope} ${name}`;
}

/** Of topics that are there in both, entry by entry: those that are gone go without saying. */
function* diffLosses(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  const changed = changedKeys(before.losses, after.losses).flatMap((id) => {
    const name = after.topics.get(id)?.name;
    return name === undefined ? [] : [{ id, name }];
  });
  for (const { id, name } of changed.toSorted((a, b) => compare(a.name, b.name))) {
    const [old, now] = [before.losses.get(id) ?? NO_LOSSES, after.losses.get(id) ?? NO_LOSSES];
    for (const partition of changedKeys(old, now).toSorted((a, b) => a - b)) {
      yield* diffEntries(`losses ${name}-${partition}`, old.get(partition) ?? [], now.get(partition) ?? []);
    }
  }
}

const NO_LOSSES: ImmutableMap<number, readonly PartitionLoss[]> = emptyMap();

function* diffEntries(subject: string, before: readonly PartitionLoss[], after: readonly PartitionLoss[]) {
  const textAt = (entries: readonly PartitionLoss[], offset: Offset): string | undefined => {
    const loss = entries.find((one) => one.offset === offset);
    return loss && `${lossOriginText(loss)}: ${lossText(loss)}`;
  };
  const offsets = new Set([...before, ...after].map(({ offset }) => offset));
  for (const offset of [...offsets].toSorted((a, b) => a - b)) {
    const [was, is] = [textAt(before, offset), textAt(after, offset)];
    if (was !== is) yield entry(subject, was, is);
  }
}

/** Whose commands they are says nothing to people: how many changed does. */
function* diffCommands(before: MetadataImage, after: MetadataImage): Generator<DiffEntry, void, undefined> {
  let changed = 0;
  for (const [clientId, { sequence }] of after.commands) {
    if (before.commands.get(clientId)?.sequence !== sequence) changed++;
  }
  const count = (image: MetadataImage): string => `${image.commands.size} remembered`;
  if (changed > 0 || before.commands.size !== after.commands.size) {
    yield entry('commands', count(before), `${count(after)}, ${changed} of them new`);
  }
}
