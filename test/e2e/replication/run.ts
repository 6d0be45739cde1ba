// One run: load on six processes, faults from a seed, then calm, and the checkers of src/check over all that clients did and saw, over
// the logs of all replicas, and over the loss ledger.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientHistory } from '../../../src/check/history.ts';
import { linesOf } from '../../../src/check/history-lines.ts';
import { hasKcat } from '../kcat.ts';
import type { ClusterOptions } from './cluster.ts';
import { SixProcesses } from './cluster.ts';
import type { Load, Topic } from './load.ts';
import { consume, longestWait, Notes, produce, produceWithKcat } from './load.ts';
import type { Fault } from './nemesis.ts';
import { drawSchedule, Nemesis } from './nemesis.ts';
import { settle } from './verdict.ts';

const OURS: Topic = { name: 'ours', partitions: 4 };
const FED: Topic = { name: 'fed', partitions: 2 };
export interface RunOptions extends ClusterOptions {
  /** Instead of what the seed draws. */
  readonly schedule?: readonly Fault[];
  /** Whether kcat produces too, where there is one; default yes. */
  readonly withKcat?: boolean;
  readonly seed: number;
  readonly durationMs: number;
  /** How to do it again; undefined: a failure is expected, and nothing of it is kept. */
  readonly again: string | undefined;
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
    const topics = hasKcat && options.withKcat !== false ? [OURS, FED] : [OURS];
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
    const { seed, durationMs, schedule = drawSchedule(seed, durationMs) } = options;
    await nemesis.play(schedule, durationMs);
    const found = await settle(cluster, notes, loads, topics);
    const outcome = {
      violations: found.violations,
      acknowledged: notes.acknowledged,
      faults: nemesis.counts,
      elections: found.elections,
    };
    say(options, notes, outcome);
    const isBad = outcome.violations.length > 0 || process.env['KVORUM_KEEP'] !== undefined;
    if (isBad && options.again !== undefined) keep(cluster, nemesis, found.history, outcome, options);
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

function say({ seed }: RunOptions, notes: Notes, { faults, elections, violations }: RunOutcome): void {
  const befell = [...faults].map(([kind, count]) => `${count} ${kind}`).join(', ');
  const { writes, reads, acknowledged } = notes;
  process.stdout.write(
    `seed ${seed}: ${befell}; ${elections} elections; ${acknowledged} of ${writes.length} writes acknowledged, ` +
      `${reads.length} reads, ${longestWait(notes)}; ${violations.length} violations\n`,
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
  const folder = cluster.keepLogs(`faults-${seed}`);
  writeFileSync(join(folder, 'history.ndjson'), [...linesOf(history)].join('\n'));
  writeFileSync(join(folder, 'schedule.txt'), nemesis.notes.join('\n'));
  writeFileSync(join(folder, 'violations.txt'), violations.join('\n'));
  process.stdout.write(`${violations.join('\n')}\nagain: ${again}\n`);
}
