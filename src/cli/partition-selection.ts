// The partitions that people name on the command line, each or by whole topics.
import type { PartitionSelector, TopicDescription } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../gen/kvorum/v1/admin.ts';
import { StartError } from '../server/start-error.ts';
import type { AdminClient } from './admin-client.ts';
import type { Readings } from './partition-name.ts';
import { meaningOf, namesOf, topicsToLookUp } from './partition-name.ts';

/** What is named. */
export interface Selection {
  readonly partitions: readonly PartitionSelector[];
  /** Of those, by {@link nameOf}, the ones of topics that were named as a whole. */
  readonly ofTopics: ReadonlySet<string>;
  /** The topics of all names that were looked up. */
  readonly topics: readonly TopicDescription[];
}

export const NOTHING_NAMED: Selection = { partitions: [], ofTopics: new Set(), topics: [] };

export function nameOf({ topic, partition }: PartitionSelector): string {
  return `${topic}-${partition}`;
}

/** The partitions that the names stand for. StartError for a topic that is not there; `undone`: what was not done then, if anything. */
export async function selectPartitions(
  admin: AdminClient,
  readings: readonly Readings[],
  undone?: string,
): Promise<Selection> {
  const { describeTopics: describe } = AdminServiceDefinition.methods;
  const looked = topicsToLookUp(readings).map((name) => ({ name, topicId: '' }));
  const { topics } = await admin.read(describe, { topics: looked });
  const known = namesOf(topics);
  const partitions = new Map<string, PartitionSelector>();
  const ofTopics = new Set<string>();
  for (const reading of readings) {
    const { topic, partition } = meaningOf(reading, known);
    const found = topics.find(({ name }) => name === topic);
    if (partition !== undefined) {
      partitions.set(`${topic}-${partition}`, { topic, partition });
      continue;
    }
    if (found === undefined || found.error !== undefined) {
      const then = undone === undefined ? '' : `; ${undone}`;
      throw new StartError(`there is no topic '${topic}': kvorum topic list shows all${then}`);
    }
    for (const { partition: number } of found.partitions) {
      partitions.set(`${topic}-${number}`, { topic, partition: number });
      ofTopics.add(`${topic}-${number}`);
    }
  }
  return { partitions: [...partitions.values()], ofTopics, topics };
}
