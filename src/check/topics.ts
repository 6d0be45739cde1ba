// Creations of topics, light (S-M9): what was answered stays, what failed or nobody asked for is not there. Each name is
// asked for once, and nothing is deleted.
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface TopicCreation {
  readonly topic: string;
  readonly partitions: number;
  readonly outcome: 'created' | 'failed' | 'unknown';
  /** What the client was told; empty if it is created. */
  readonly reason: string;
}

/** `topics`: name to number of partitions, as the controller has them at the end. */
export function checkTopics(
  creations: readonly TopicCreation[],
  topics: ReadonlyMap<string, number>,
): Violation | undefined {
  const asked = new Map(creations.map((creation) => [creation.topic, creation]));
  const wrong = firstViolation(topics, ([topic, partitions]) => {
    const creation = asked.get(topic);
    if (creation === undefined) return violation('S-M9', `topic ${topic} is there, and nobody asked for it`);
    if (creation.outcome === 'failed')
      return violation('S-M9', `topic ${topic} is there, and its creation failed: ${creation.reason}`);
    if (creation.partitions === partitions) return undefined;
    return violation('S-M9', `topic ${topic} has ${partitions} partitions, asked for were ${creation.partitions}`);
  });
  return (
    wrong ??
    firstViolation(creations, ({ topic, outcome }) => {
      if (outcome !== 'created' || topics.has(topic)) return undefined;
      return violation('S-M9', `topic ${topic} was created and is not there`);
    })
  );
}
