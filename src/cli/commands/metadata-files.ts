// `kvorum metadata dump` and `kvorum metadata snapshot`: what is on the disk of a controller or broker, read and verified there.
// The log is locked while its node runs; snapshot files can be read at any time.
import type { Env } from '../../env/env.ts';
import { isEnvError } from '../../env/error.ts';
import type { Store } from '../../env/store.ts';
import { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetaProperties } from '../../log/storage.ts';
import { readMetaProperties } from '../../log/storage.ts';
import { createEnv } from '../../node/env.ts';
import { batchMessage, voterMessage } from '../../quorum/admin-messages.ts';
import type { DurableEnd, DurableEndProblem } from '../../quorum/durable-end.ts';
import { readDurableEnd } from '../../quorum/durable-end.ts';
import { SnapshotFileReader } from '../../quorum/snapshot-file.ts';
import {
  CATALOGUE_KEY,
  decodeBatch,
  decodeCatalogue,
  decodeState,
  LOG_PREFIX,
  STATE_KEY,
} from '../../quorum/storage.ts';
import { StartError } from '../../server/start-error.ts';
import { startErrorOf } from '../../server/storage.ts';
import { UsageError } from '../failure.ts';
import type { PrintedRecord } from '../metadata-text.ts';
import { bodyOfRecord, recordLine, recordObject, recordsOfBatch } from '../metadata-text.ts';
import type { DumpOptions, SnapshotOptions } from '../options.ts';
import type { Show } from '../output.ts';
import { isoTime, shower } from '../output.ts';

const showRecord = (show: Show, record: PrintedRecord, as = 'record'): void =>
  show(recordObject(record, as), () => recordLine(record));

export async function dumpMetadata(options: DumpOptions): Promise<void> {
  const env = createEnv({ level: 'error' });
  const directory = options.dir;
  const show = await shower(options.format);
  try {
    const meta = await formattedFolder(env, directory);
    const note = await readDurableEnd(env.disk, directory);
    const store = await openDatabase(env, directory);
    try {
      await dump(store, meta, note, show);
    } finally {
      await store.close();
    }
  } catch (error) {
    throw startErrorOf(error);
  }
}

async function formattedFolder(env: Env, directory: string): Promise<MetaProperties> {
  const meta = await readMetaProperties(env.disk, directory);
  if (meta !== undefined && (await env.disk.exists(`${directory}/metadata`))) return meta;
  const what =
    meta === undefined ? `${directory} is not a formatted folder` : `there is no metadata log in ${directory}`;
  throw new StartError(`${what}: --dir takes metadata.log.dir of the node (its first log.dirs where that is not set)`);
}

async function openDatabase(env: Env, directory: string): Promise<Store> {
  try {
    return await env.openStore(`${directory}/metadata`);
  } catch (error) {
    if (!isEnvError(error, 'LOCKED')) throw error;
    throw new StartError(
      `LOCKED: the node that owns ${directory} runs: stop it first, or ask it with kvorum metadata tail`,
      error,
    );
  }
}

async function dump(
  store: Store,
  meta: MetaProperties,
  note: DurableEnd | DurableEndProblem,
  show: Show,
): Promise<void> {
  const { clusterId, nodeId, directoryId } = meta;
  show(
    {
      type: 'replica',
      clusterId,
      nodeId,
      directoryId,
    },
    () => `cluster ${clusterId}, node ${nodeId}, directory ${directoryId}`,
  );
  const state = await store.get(STATE_KEY);
  if (state === undefined) show({ type: 'quorumState' }, () => 'quorum state: none was written yet');
  else {
    const { leaderId, leaderEpoch, votedKey } = decodeState(state);
    const vote = votedKey === undefined ? 'no vote' : `voted for ${votedKey.id}@${votedKey.directoryId}`;
    const leader = leaderId < 0 ? 'no leader known' : `leader ${leaderId}`;
    show(
      {
        type: 'quorumState',
        leaderEpoch,
        leaderId,
        votedKey: votedKey ?? null,
      },
      () => `quorum state: epoch ${leaderEpoch}, ${leader}, ${vote}`,
    );
  }
  showNote(note, show);
  const catalogue = await store.get(CATALOGUE_KEY);
  const snapshots = catalogue === undefined ? [] : decodeCatalogue(catalogue);
  for (const { id, sizeBytes } of snapshots) {
    show({ type: 'snapshot', ...id, sizeBytes }, () => `snapshot ${id.endOffset}-${id.epoch}: ${sizeBytes} bytes`);
  }
  await dumpLog(store, snapshots[0]?.id.endOffset ?? 0, snapshots.at(-1)?.id.endOffset ?? 0, show);
}

function showNote(note: DurableEnd | DurableEndProblem, show: Show): void {
  if (typeof note === 'string') {
    show({ type: 'durableEnd', problem: note }, () => `durable-end note: ${note}`);
    return;
  }
  const { logEndOffset, lastEpoch, leaderEpoch } = note;
  show(
    {
      type: 'durableEnd',
      logEndOffset,
      lastEpoch,
      leaderEpoch,
    },
    () => `durable-end note: log up to offset ${logEndOffset}, epoch ${leaderEpoch}`,
  );
}

/** `committed`: everything below surely is; of the rest this disk alone does not tell. */
async function dumpLog(store: Store, startOffset: number, committed: number, show: Show): Promise<void> {
  let next = startOffset;
  const to = Buffer.concat([LOG_PREFIX, Buffer.alloc(9, 0xff)]);
  for await (const [key, value] of store.entries({ from: LOG_PREFIX, to })) {
    const batch = decodeBatch(key, value);
    // A crash may leave keys below the log start: nobody reads them.
    if (batch.baseOffset < startOffset) continue;
    if (batch.baseOffset !== next) {
      throw new StartError(`the metadata log has a gap: after offset ${next - 1} comes ${batch.baseOffset}`);
    }
    next += batch.records.length;
    for (const record of recordsOfBatch(batchMessage(batch, 0))) showRecord(show, record);
  }
  const tail = next > committed ? ` (from offset ${committed} on, not every record need be committed)` : '';
  show(
    {
      type: 'log',
      logStartOffset: startOffset,
      logEndOffset: next,
      surelyCommittedEndOffset: committed,
    },
    () => `log ${startOffset} to ${next}${tail}`,
  );
}

export async function showSnapshot(file: string | undefined, options: SnapshotOptions): Promise<void> {
  if ((file === undefined) === (options.dir === undefined)) {
    throw new UsageError('give either a snapshot file or --dir with metadata.log.dir of a node');
  }
  const env = createEnv({ level: 'error' });
  const show = await shower(options.format);
  try {
    const path = file ?? (await newestIn(env, options.dir ?? ''));
    const reader = await SnapshotFileReader.open(env.disk, env.clock, path);
    try {
      await showOpened(reader, path, show);
    } finally {
      await reader.close();
    }
  } catch (error) {
    throw startErrorOf(error);
  }
}

async function newestIn(env: Env, directory: string): Promise<string> {
  const folder = `${directory}/snapshots`;
  const entries = (await env.disk.exists(folder)) ? await env.disk.list(folder) : [];
  const names = entries.map(({ name }) => name).filter((name) => name.endsWith('.checkpoint'));
  const newest = names.sort().at(-1);
  if (newest !== undefined) return `${folder}/${newest}`;
  throw new StartError(
    `there is no snapshot in ${folder}: the node has taken none yet, or --dir is not its metadata.log.dir`,
  );
}

async function showOpened(reader: SnapshotFileReader, path: string, show: Show): Promise<void> {
  const { clusterId, id, voters, takenAtMs } = reader.header;
  const takenAt = isoTime(takenAtMs);
  const votes = voters.map((voter) => `${voter.id}@${voter.endpoint} (directory ${voter.directoryId})`).join(', ');
  const head = `${path}: ${reader.sizeBytes} bytes, cluster ${clusterId}
everything below offset ${id.endOffset}, whose last record is of epoch ${id.epoch}; taken at ${takenAt}
voters: ${votes}`;
  show(
    {
      type: 'snapshot',
      path,
      sizeBytes: reader.sizeBytes,
      clusterId,
      ...id,
      takenAtMs,
      voters: voters.map(voterMessage),
    },
    () => head,
  );
  let count = 0;
  for await (const chunk of reader.chunks()) {
    for (const bytes of chunk) {
      showRecord(show, bodyOfRecord(MetadataRecord.decode(bytes)), 'snapshot-record');
      count++;
    }
  }
  show({ type: 'end', records: count }, () => `${count} records, complete and intact`);
}
