// The end of a run: calm, the last word for every client, everything is read, and the checkers of src/check judge what clients did and saw,
// the logs of all replicas, and the loss ledger.
import { violationsOf } from '../../../src/check/client-history.ts';
import type { ClientHistory } from '../../../src/check/history.ts';
import { placeName } from '../../../src/check/history.ts';
import type { Hazards } from '../../../src/check/losses.ts';
import { checkReplicasAgree } from '../../../src/check/replicas.ts';
import type { SixProcesses } from './cluster.ts';
import { BROKERS } from './cluster.ts';
import { readLogs } from './disk-logs.ts';
import type { Load, Notes, Topic } from './load.ts';
import { readEverything } from './load.ts';

const FINAL_READER = 'final';

/** Kills, pauses and cuts take no records, and nobody allows an unclean election. */
const NO_HAZARDS: Hazards = { uncleanElections: false, lossyDisks: false };

export interface Verdict {
  readonly history: ClientHistory;
  /** What does not hold, a sentence each, with the property's id first where it has one. */
  readonly violations: readonly string[];
  /** Leader epochs of all partitions together: how often somebody else began to lead. */
  readonly elections: number;
}

/** The brokers are stopped afterwards. Calm: everybody is in sync again, every client has had its last word, everything is read, and the logs are compared. */
export async function settle(
  cluster: SixProcesses,
  notes: Notes,
  loads: readonly Load[],
  topics: readonly Topic[],
  hazards = NO_HAZARDS,
): Promise<Verdict> {
  const late: string[] = [];
  const names = topics.map(({ name }) => name);
  await cluster
    .allInSync(names, 90_000)
    .catch((error: unknown) => late.push(`L-M1: ${String(error)} ${causeOf(error)}`));
  await Promise.all(loads.map((load) => load.stop()));
  await readEverything(notes, cluster.bootstrap, topics, FINAL_READER).catch((error: unknown) =>
    late.push(`L-C1: ${String(error)}`),
  );
  const ledger = await cluster.ledger();
  const leaders = new Map<string, number>();
  let elections = 0;
  for (const topic of names) {
    for (const { partition, leader, leaderEpoch, isr, elr, replicas } of await cluster.partitions(topic)) {
      const holder = leader >= 0 ? leader : ([...isr, ...elr, ...replicas][0] ?? -1);
      leaders.set(placeName({ topic, partition }), holder);
      elections += leaderEpoch;
    }
  }
  await cluster.stopBrokers();
  const folders = new Map(BROKERS.map((id) => [id, cluster.dataOf(id)]));
  const leaderOf = (topic: string, partition: number): number => leaders.get(placeName({ topic, partition })) ?? -1;
  const { logs, replicas } = readLogs(folders, topics, leaderOf);
  const history = { writes: notes.writes, reads: notes.reads, logs, losses: [], ledger };
  const found = [checkReplicasAgree(replicas), ...violationsOf(history, FINAL_READER, hazards)];
  const sentences = found.flatMap((it) => (it === undefined ? [] : [`${it.property}: ${it.detail}`]));
  const told = hazards.uncleanElections ? [] : notes.told.map((it) => `S-C1: told of a loss without one: ${it}`);
  const violations = [...late, ...sentences, ...told, ...notes.complaints, ...(await cluster.fallen())];
  return { history, violations, elections };
}

function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
}
