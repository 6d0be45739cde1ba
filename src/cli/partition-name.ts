// How people name topics and partitions: `orders` and `orders-3`, as everywhere in Kafka; where a topic `orders-3` exists as well,
// `orders:3` is the partition and `orders-3:` the topic, since no name of a topic has a colon.
import type { PartitionSelector, TopicDescription } from '../gen/kvorum/v1/admin.ts';
import { UsageError } from './failure.ts';

/** A topic, or one of its partitions. */
export interface TopicOrPartition {
  readonly topic: string;
  /** Undefined: the topic. */
  readonly partition: number | undefined;
}

/** Both readings of a name: as the topic of that name, and as a partition where it ends with a number. */
export interface Readings {
  readonly name: string;
  readonly asTopic: string | undefined;
  readonly asPartition: PartitionSelector | undefined;
}

export function readingsOf(name: string): Readings {
  if (/^[^:]+:$/.test(name)) return { name, asTopic: name.slice(0, -1), asPartition: undefined };
  const match = /^([^:]+)([:-])(\d{1,9})$/.exec(name);
  if (match === null && name.includes(':')) throw new UsageError(`'${name}' is neither TOPIC nor TOPIC-PARTITION`);
  return {
    name,
    asTopic: match?.[2] === ':' ? undefined : name,
    asPartition: match === null ? undefined : { topic: match[1] ?? '', partition: Number(match[3]) },
  };
}

/**
 * What is meant, among the topics that there are: a partition if its topic exists and the topic of the whole name does not, or if
 * neither does (it may have been deleted). UsageError if both exist.
 */
export function meaningOf({ name, asTopic, asPartition }: Readings, known: ReadonlySet<string>): TopicOrPartition {
  if (asPartition === undefined) return { topic: asTopic ?? name, partition: undefined };
  if (asTopic === undefined || !known.has(asTopic)) return asPartition;
  if (!known.has(asPartition.topic)) return { topic: asTopic, partition: undefined };
  const { topic, partition } = asPartition;
  throw new UsageError(
    `there is a topic '${name}' and a topic '${topic}': write ${name}: for the one, ${topic}:${partition} for the partition of the other`,
  );
}

/** Topics that have to be described to tell what the names mean. */
export function topicsToLookUp(readings: readonly Readings[]): string[] {
  return [
    ...new Set(
      readings.flatMap(({ asTopic, asPartition }) => [asTopic, asPartition?.topic].filter((it) => it !== undefined)),
    ),
  ];
}

/** Of descriptions, the names of topics that exist. */
export function namesOf(topics: readonly TopicDescription[]): Set<string> {
  return new Set(topics.filter(({ error }) => error === undefined).map(({ name }) => name));
}
