// `kvorum metadata tail`: the committed metadata log of a running node, as it is and as it grows.
import { sleep } from '../../env/clock.ts';
import { RpcError } from '../../env/network.ts';
import type { WatchMetadataResponse } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { StartError } from '../../server/start-error.ts';
import { serversOf, withAdmin } from '../admin-client.ts';
import { UsageError } from '../failure.ts';
import { bodyOfRecord, recordLine, recordObject, recordsOfBatch } from '../metadata-text.ts';
import type { TailOptions } from '../options.ts';
import type { Show } from '../output.ts';
import { shower } from '../output.ts';

export async function tailMetadata(options: TailOptions): Promise<void> {
  const show = await shower(options.format);
  const untilNow = options.follow !== true;
  const goesOn = !untilNow && serversOf(options.server).length > 1;
  let fromOffset = offsetOf(options.from);
  /** Where to go on, -1 while nothing came. */
  let next = -1;
  await withAdmin(options, async ({ stream, env }) => {
    for (;;) {
      try {
        for await (const { event } of stream(Admin.methods.watchMetadata, { fromOffset, untilNow })) {
          next = showEvent(show, event) ?? next;
        }
        return;
      } catch (error) {
        if (next < 0 || !(error instanceof RpcError || error instanceof StartError)) throw error;
        if (!goesOn || !(error instanceof RpcError) || error.status !== 'UNAVAILABLE') throw howToGoOn(error, next);
        fromOffset = next;
        await sleep(env.clock, AGAIN_MS);
      }
    }
  });
}

/** Between asking one server after the other. */
const AGAIN_MS = 200;

function howToGoOn(error: Error, next: number): StartError {
  return new StartError(
    `${error.message}; everything below offset ${next} was shown: go on with --from ${next}`,
    error,
  );
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
