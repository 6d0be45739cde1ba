// An item that a request names more than once is refused each time: what was meant is not known.

/** Tells which of the items share their key with another one. */
export function namedTwice<T>(items: readonly T[], keyOf: (item: T) => string): (item: T) => boolean {
  const timesNamed = new Map<string, number>();
  for (const item of items) timesNamed.set(keyOf(item), (timesNamed.get(keyOf(item)) ?? 0) + 1);
  return (item) => (timesNamed.get(keyOf(item)) ?? 0) > 1;
}

export function partitionKeyOf({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}/${partition}`;
}
