// One run: load on six processes, faults from a seed, then calm, and the checkers of src/check over all that clients did and saw, over
// the logs of all replicas, and over the loss ledger.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { violationsOf } from '../../../src/check/client-history.ts';
import type { ClientHistory } from '../../../src/check/history.ts';
import { placeName } from '../../../src/check/history.ts';
import { linesOf } from '../../../src/check/history-lines.ts';
import type { Hazards } from '../../../src/check/losses.ts';
import { checkReplicasAgree } from '../../../src/check/replicas.ts';
import { hasKcat } from '../kcat.ts';
import type { ClusterOptions } from './cluster.ts';
import { BROKERS, SixProcesses } from './cluster.ts';
import { readLogs } from './disk-logs.ts';
import type { Load, Topic } from './load.ts';
import { consume, Notes, produce, produceWithKcat, readEverything } from './load.ts';
import { drawSchedule, Nemesis } from './nemesis.ts';

export const OURS: Topic = { name: 'ours', partitions: 4 };
export const FED: Topic = { name: 'fed', partitions: 2 };
const FINAL_READER = 'final';

/** Kills, pauses and cuts take no records, and nobody allows an unclean election. */
const NO_HAZARDS: Hazards = { uncleanElections: false, lossyDisks: false };

export interface RunOptions extends ClusterOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** How to do it again. */
  readonly again: string;
}

export interface RunOutcome {
  /** What does not hold, a sentence each with the property's id first. */
  readonly violations: readonly string[];
  readonly acknowledged: number;
  readonly faults: ReadonlyMap<string, number>;
  /** Leader epochs of all partitions together: how often somebody else began to lead. */
  readonly elections: number;
}

export async function runFaults(options: RunOptions): Promise<RunOutcome> {
  const cluster = await SixProcesses.start(options);
  try {
    const topics = hasKcat ? [OURS, FED] : [OURS];
    for (const { name, partitions } of topics) {
      await cluster.createTopic(name, partitions, { 'min.insync.replicas': '2' });
    }
    const notes = new Notes();
    const loads = startLoads(notes, cluster, topics);
    const nemesis = new Nemesis(
      cluster,
      async () => (await cluster.partitions(OURS.name).catch(() => [])).map(({ leader }) => leader),
      () => cluster.activeController().catch(() => -1),
    );
    await nemesis.play(drawSchedule(options.seed, options.durationMs), options.durationMs);
    const found = await settle(cluster, notes, loads, topics);
    const outcome = {
      violations: [...found.violations, ...notes.complaints, ...notes.told, ...(await cluster.fallen())],
      acknowledged: notes.acknowledged,
      faults: nemesis.counts,
      elections: found.elections,
    };
    say(options, notes, outcome);
    if (outcome.violations.length > 0) keep(cluster, nemesis, found.history, outcome, options);
    return outcome;
  } finally {
    await cluster.remove();
  }
}

function startLoads(notes: Notes, { bootstrap }: SixProcesses, topics: readonly Topic[]): Load[] {
  return [
    produce(notes, bootstrap, OURS, 'a', 150),
    produce(notes, bootstrap, OURS, 'b', 100),
    ...(topics.includes(FED) ? [produceWithKcat(notes, bootstrap, FED, 'kcat', 20)] : []),
    consume(notes, bootstrap, topics, 'consumer'),
  ];
}

interface Found {
  readonly history: ClientHistory;
  readonly violations: readonly string[];
  readonly elections: number;
}

/** Calm: everybody is in sync again, every client has had its last word, everything is read, and the logs are compared. */
async function settle(
  cluster: SixProcesses,
  notes: Notes,
  [first, second, ...others]: readonly Load[],
  topics: readonly Topic[],
): Promise<Found> {
  const late: string[] = [];
  const names = topics.map(({ name }) => name);
  await cluster
    .allInSync(names, 90_000)
    .catch((error: unknown) => late.push(`L-M1: ${String(error)} ${causeOf(error)}`));
  for (const load of [first, second, ...others]) await load?.stop();
  await readEverything(notes, cluster.bootstrap, topics, FINAL_READER);
  const ledger = await cluster.ledger();
  const leaders = new Map<string, number>();
  let elections = 0;
  for (const topic of names) {
    for (const { partition, leader, leaderEpoch } of await cluster.partitions(topic)) {
      leaders.set(placeName({ topic, partition }), leader);
      elections += leaderEpoch;
    }
  }
  await cluster.stopBrokers();
  const folders = new Map(BROKERS.map((id) => [id, cluster.dataOf(id)]));
  const leaderOf = (topic: string, partition: number): number => leaders.get(placeName({ topic, partition })) ?? -1;
  const { logs, replicas } = readLogs(folders, topics, leaderOf);
  const history = { writes: notes.writes, reads: notes.reads, logs, losses: [], ledger };
  const found = [checkReplicasAgree(replicas), ...violationsOf(history, FINAL_READER, NO_HAZARDS)];
  const sentences = found.flatMap((it) => (it === undefined ? [] : [`${it.property}: ${it.detail}`]));
  return { history, violations: [...late, ...sentences], elections };
}

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
}

function say({ seed }: RunOptions, notes: Notes, { faults, elections, violations }: RunOutcome): void {
  const befell = [...faults].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const { writes, reads, acknowledged, longestHoldUpMs } = notes;
  process.stdout.write(
    `seed ${seed}: ${befell}; ${elections} elections; ${acknowledged} of ${writes.length} writes acknowledged, ` +
      `${reads.length} reads, held up ${Math.round(longestHoldUpMs)} ms at most; ${violations.length} violations\n`,
  );
}

/** Histories, schedule and logs of the nodes stay, with the line that does it again. */
function keep(
  cluster: SixProcesses,
  nemesis: Nemesis,
  history: ClientHistory,
  { violations }: RunOutcome,
  { seed, again }: RunOptions,
): void {
  const folder = join(import.meta.dirname, '../../../replay', `e2e-${seed}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  cpSync(join(cluster.folder, 'logs'), join(folder, 'logs'), { recursive: true });
  writeFileSync(join(folder, 'history.ndjson'), [...linesOf(history)].join('\n'));
  writeFileSync(join(folder, 'schedule.txt'), nemesis.notes.join('\n'));
  writeFileSync(join(folder, 'violations.txt'), violations.join('\n'));
  process.stdout.write(`${violations.join('\n')}\nkept in ${folder}\nagain: ${again}\n`);
}
