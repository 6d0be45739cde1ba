// `kvorum metadata tail`: the committed metadata log of a running node, as it is and as it grows.
import { RpcError } from '../../env/network.ts';
import type { WatchMetadataResponse } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { StartError } from '../../server/start-error.ts';
import type { TailOptions } from '../command-options.ts';
import { UsageError } from '../failure.ts';
import type { PrintedRecord } from '../metadata-text.ts';
import { bodyOfRecord, recordLine, recordsOfBatch } from '../metadata-text.ts';
import { withAdmin } from '../server-option.ts';

export async function tailMetadata(options: TailOptions): Promise<void> {
  const fromOffset = offsetOf(options.from);
  const untilNow = options.follow !== true;
  /** Where to go on, -1 while nothing came. */
  let next = -1;
  try {
    await withAdmin(options, async ({ stream }) => {
      for await (const { event } of stream(Admin.methods.watchMetadata, { fromOffset, untilNow })) {
        next = show(event, options.json === true) ?? next;
      }
    });
  } catch (error) {
    if (!(error instanceof RpcError) || next < 0) throw error;
    throw new StartError(
      `${error.message}; everything below offset ${next} was shown: go on with --from ${next}`,
      error,
    );
  }
}

function offsetOf(text: string): number {
  if (text === 'beginning') return 0;
  if (text === 'end') return -1;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new UsageError(`--from takes beginning, end or an offset, not '${text}'`);
}

/** Prints what came; the offset that follows, if it is known by now. */
function show(event: WatchMetadataResponse['event'], json: boolean): number | undefined {
  switch (event?.$case) {
    case 'snapshot': {
      const { snapshot } = event;
      if (json) console.log(JSON.stringify({ type: 'snapshot', ...snapshot }));
      else {
        const voters = snapshot.voters.map(({ nodeId, endpoint }) => `${nodeId}@${endpoint}`).join(' ');
        console.log(
          `snapshot of everything below offset ${snapshot.endOffset} (epoch ${snapshot.epoch}), voters ${voters}:`,
        );
      }
      return undefined;
    }
    case 'snapshotRecords':
      for (const record of event.snapshotRecords.records) write(bodyOfRecord(record), json, 'snapshot-record');
      return undefined;
    case 'batch': {
      const records = recordsOfBatch(event.batch);
      for (const record of records) write(record, json);
      return event.batch.baseOffset + records.length;
    }
    default:
      return undefined;
  }
}

function write(record: PrintedRecord, json: boolean, as = 'record'): void {
  if (!json) console.log(recordLine(record));
  else {
    const { type, record: fields, ...place } = record;
    console.log(JSON.stringify({ type: as, ...place, kind: type, [type]: fields }));
  }
}
