// S-D8: an operator lets a replica lead that lacks acknowledged records. What is gone is what the loss ledger says, to the record.
import { afterAll, afterEach, expect, it } from 'vitest';
import { kvorumOk } from '../kvorum.ts';
import { cleanUp, eventually } from '../processes.ts';
import { BROKERS, SixProcesses } from './cluster.ts';
import type { Topic } from './load.ts';
import { consume, Notes, produce } from './load.ts';
import { settle } from './verdict.ts';

const RISKED: Topic = { name: 'risked', partitions: 1 };
const HAZARDS = { uncleanElections: true, lossyDisks: false };

interface PrintedLoss {
  readonly leader: number;
  readonly awaited: readonly number[];
  readonly firstOffset: number;
  readonly endOffset: number;
}

let cluster: SixProcesses;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') cluster.keepLogs(task.name);
  await cluster.remove();
});
afterAll(cleanUp);

/** What `kvorum partition losses` says. */
async function printedLosses(): Promise<PrintedLoss[]> {
  const said = await kvorumOk(['partition', 'losses', RISKED.name, '--format', 'json', '--server', cluster.server]);
  return (JSON.parse(said) as { losses: PrintedLoss[] }).losses;
}

it('what an unclean election costs is in the ledger, and nothing else is gone', async () => {
  cluster = await SixProcesses.start();
  await cluster.createTopic(RISKED.name, 1, { 'min.insync.replicas': '1' });
  const notes = new Notes();
  const partition = async () => (await cluster.partitions(RISKED.name))[0];
  const acknowledge = async (name: string, count: number): Promise<void> => {
    const before = notes.acknowledged;
    const load = produce(notes, cluster.bootstrap, RISKED, name, 300);
    await eventually('enough is acknowledged', async () => (notes.acknowledged >= before + count ? true : undefined));
    await load.stop();
  };
  const reader = consume(notes, cluster.bootstrap, [RISKED], 'reader');
  await acknowledge('kept', 200);
  const first = (await partition())?.leader ?? -1;
  const others = BROKERS.filter((id) => id !== first);
  // What is written now only the first leader has.
  await Promise.all(others.map((id) => cluster.signal(id, 'SIGKILL')));
  await eventually('the leader is alone', async () => ((await partition())?.isr.length === 1 ? true : undefined));
  const lostFrom = notes.acknowledged;
  await acknowledge('lost', 150);
  const lostEnd = notes.acknowledged;
  await eventually('it is read', async () => (notes.reads.length >= lostEnd ? true : undefined));
  await cluster.signal(first, 'SIGKILL');
  for (const id of others) cluster.begin(id);
  // Nobody who lives may lead.
  await eventually('the others are back, and nobody leads', async () => {
    const listed = await cluster.brokersServing();
    return others.every((id) => listed.includes(id)) && (await partition())?.leader === -1 ? true : undefined;
  });
  const allow = ['config', 'set', 'unclean.leader.election.enable=true', '--topic', RISKED.name];
  await kvorumOk([...allow, '--server', cluster.serverOf(others[0] as number)]);
  await eventually('one of them leads', async () =>
    others.includes((await partition())?.leader ?? -1) ? true : undefined,
  );
  await acknowledge('after', 100);
  const open = await eventually('the loss is recorded', async () => (await cluster.ledger())[0]);
  expect(open.awaited).toContain(first);

  cluster.begin(first);
  await cluster.allInSync([RISKED.name]);
  const [loss, ...more] = await eventually('the ledger waits for nobody', async () => {
    const losses = await printedLosses();
    return losses.every(({ awaited }) => awaited.length === 0) ? losses : undefined;
  });
  expect(more).toEqual([]);
  expect(loss).toMatchObject({ leader: expect.any(Number) as number, firstOffset: lostFrom, endOffset: lostEnd });

  const { violations, history } = await settle(cluster, notes, [reader], [RISKED], HAZARDS);
  expect(violations).toEqual([]);
  const there = new Set(history.logs.flatMap(({ records }) => records.map(({ text }) => text)));
  const gone = notes.writes.filter(({ outcome, text }) => outcome === 'acknowledged' && !there.has(text));
  expect(gone.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(
    Array.from({ length: lostEnd - lostFrom }, (_, i) => lostFrom + i),
  );
  // Who had read what is gone was told.
  expect(notes.told).toHaveLength(1);
});
