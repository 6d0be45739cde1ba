// What operators do and what happens to them, on six processes under load: a leader that is killed, a rolling restart, all brokers
// killed at once, an unclean election whose cost is told to the record. Times are printed, never judged.
import { afterAll, afterEach, expect, it } from 'vitest';
import { hasKcat } from '../kcat.ts';
import { kvorumOk } from '../kvorum.ts';
import { cleanUp, eventually } from '../processes.ts';
import { BROKERS, SixProcesses } from './cluster.ts';
import type { Load, Topic } from './load.ts';
import { consume, longestWait, Notes, produce, produceWithKcat } from './load.ts';
import { settle } from './verdict.ts';

const ORDERS: Topic = { name: 'orders', partitions: 3 };
const PAYMENTS: Topic = { name: 'payments', partitions: 1 };
/** kcat.ts has said why there is none. */
const TOPICS = hasKcat ? [ORDERS, PAYMENTS] : [ORDERS];

let cluster: SixProcesses;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') cluster.keepLogs(task.name);
  await cluster.remove();
});
afterAll(cleanUp);

/** A cluster with two topics, and load on them from our client and from kcat. */
async function underLoad(): Promise<{ notes: Notes; loads: Load[] }> {
  cluster = await SixProcesses.start();
  for (const { name, partitions } of TOPICS) await cluster.createTopic(name, partitions);
  const notes = new Notes();
  const loads = [
    produce(notes, cluster.bootstrap, ORDERS, 'writer', 200),
    consume(notes, cluster.bootstrap, TOPICS, 'reader'),
    ...(hasKcat ? [produceWithKcat(notes, cluster.bootstrap, PAYMENTS, 'kcat', 10)] : []),
  ];
  await moreIsRead(
    notes,
    TOPICS.map(({ name }) => name),
    50,
  );
  return { notes, loads };
}

/** Waits until so much more was read of each topic; how long that took. */
async function moreIsRead(notes: Notes, topics: readonly string[], more: number): Promise<number> {
  const begunAt = performance.now();
  const count = (topic: string): number => notes.reads.reduce((sum, read) => sum + (read.topic === topic ? 1 : 0), 0);
  const wanted = new Map(topics.map((topic) => [topic, count(topic) + more]));
  const ask = (): Promise<true | undefined> =>
    Promise.resolve([...wanted].every(([topic, target]) => count(topic) >= target) ? true : undefined);
  await eventually(`${more} more records of ${topics.join(', ')} are read`, ask, 60_000);
  return Math.round(performance.now() - begunAt);
}

function names(): string[] {
  return TOPICS.map(({ name }) => name);
}

/** No broker had to be told from one that may have lost something. */
async function noUncleanMarks(): Promise<void> {
  expect(await cluster.ledger()).toEqual([]);
  for (const topic of names()) {
    const history = await kvorumOk(['metadata', 'history', topic, '--format', 'json', '--server', cluster.server]);
    expect(history).not.toContain('uncleanly');
  }
}

it('a leader that is killed is replaced, and nothing acknowledged is lost', async () => {
  const { notes, loads } = await underLoad();
  for (let round = 0; round < 3; round++) {
    const [partition] = await cluster.partitions(TOPICS.at(-1)?.name ?? '');
    const leader = partition?.leader ?? -1;
    await cluster.signal(leader, 'SIGKILL');
    const elapsedMs = await moreIsRead(notes, [TOPICS.at(-1)?.name ?? ''], 20);
    process.stdout.write(
      `leader ${leader} was killed: the producer with acks=all is held up ${elapsedMs} ms at most\n`,
    );
    await moreIsRead(notes, names(), 50);
    cluster.begin(leader);
    await cluster.allInSync(names());
  }
  const { violations } = await settle(cluster, notes, loads, TOPICS);
  expect(violations).toEqual([]);
});

it('a rolling restart costs no client an error, and nobody an unclean mark', async () => {
  const { notes, loads } = await underLoad();
  for (const id of BROKERS) {
    await cluster.signal(id, 'SIGTERM');
    await moreIsRead(notes, names(), 50);
    cluster.begin(id);
    await cluster.allInSync(names());
  }
  await noUncleanMarks();
  const { violations } = await settle(cluster, notes, loads, TOPICS);
  expect(violations).toEqual([]);
  expect(notes.writes.filter(({ outcome }) => outcome !== 'acknowledged')).toEqual([]);
  process.stdout.write(`rolling restart: a record ${longestWait(notes)}\n`);
});

it('all brokers are killed at once, and come back without an unclean election', async () => {
  const { notes, loads } = await underLoad();
  for (let round = 0; round < 2; round++) {
    await Promise.all(BROKERS.map((id) => cluster.signal(id, 'SIGKILL')));
    for (const id of BROKERS) cluster.begin(id);
    const elapsedMs = await moreIsRead(notes, names(), 50);
    process.stdout.write(`all brokers were killed: records are acknowledged again after ${elapsedMs} ms\n`);
    await cluster.allInSync(names());
  }
  await noUncleanMarks();
  const { violations } = await settle(cluster, notes, loads, TOPICS);
  expect(violations).toEqual([]);
});
