// `kvorum metadata tail`: the committed metadata log of a running node, as it is and as it grows.
import { RpcError } from '../../env/network.ts';
import type { WatchMetadataResponse } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { StartError } from '../../server/start-error.ts';
import { withAdmin } from '../admin-client.ts';
import { UsageError } from '../failure.ts';
import { bodyOfRecord, recordLine, recordObject, recordsOfBatch } from '../metadata-text.ts';
import type { TailOptions } from '../options.ts';
import type { Show } from '../output.ts';
import { shower } from '../output.ts';

export async function tailMetadata(options: TailOptions): Promise<void> {
  const fromOffset = offsetOf(options.from);
  const show = await shower(options.format);
  const untilNow = options.follow !== true;
  /** Where to go on, -1 while nothing came. */
  let next = -1;
  try {
    await withAdmin(options, async ({ stream }) => {
      for await (const { event } of stream(Admin.methods.watchMetadata, { fromOffset, untilNow })) {
        next = showEvent(show, event) ?? next;
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
function showEvent(show: Show, event: WatchMetadataResponse['event']): number | undefined {
  switch (event?.$case) {
    case 'snapshot': {
      const { snapshot } = event;
      const voters = snapshot.voters.map(({ nodeId, endpoint }) => `${nodeId}@${endpoint}`).join(' ');
      show(
        { type: 'snapshot', ...snapshot },
        () => `snapshot of everything below offset ${snapshot.endOffset} (epoch ${snapshot.epoch}), voters ${voters}:`,
      );
      return undefined;
    }
    case 'snapshotRecords':
      for (const message of event.snapshotRecords.records) {
        const record = bodyOfRecord(message);
        show(recordObject(record, 'snapshot-record'), () => recordLine(record));
      }
      return undefined;
    case 'batch': {
      const records = recordsOfBatch(event.batch);
      for (const record of records) show(recordObject(record), () => recordLine(record));
      return event.batch.baseOffset + records.length;
    }
    default:
      return undefined;
  }
}
