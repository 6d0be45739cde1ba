// `kvorum metadata history`: every change of a topic or partition that the asked node's log holds.
import type { HistoryEntry } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import type { ListOptions } from '../options.ts';
import type { Show } from '../output.ts';
import { isoTime, shower } from '../output.ts';
import { meaningOf, namesOf, readingsOf, topicsToLookUp } from '../partition-name.ts';
import { createProgress } from '../progress.ts';

export async function showHistory(name: string, options: ListOptions): Promise<void> {
  const reading = readingsOf(name);
  const show = await shower(options.format);
  await withAdmin(options, async (admin) => {
    const { topics } = await admin.read(Admin.methods.describeTopics, {
      topics: topicsToLookUp([reading]).map((topic) => ({ name: topic, topicId: '' })),
    });
    const { topic, partition = -1 } = meaningOf(reading, namesOf(topics));
    const progress = createProgress();
    progress.say(`reading the log for ${name}`);
    let count = 0;
    try {
      for await (const { event } of admin.stream(Admin.methods.metadataHistory, { topic, partition })) {
        progress.end();
        if (event?.$case === 'logStartOffset') showStart(show, event.logStartOffset);
        else if (event?.$case === 'entry') {
          show(event.entry, () => entryText(event.entry));
          count++;
        }
      }
    } finally {
      progress.end();
    }
    if (count === 0) console.error(`kvorum: the log of the node that was asked holds nothing about '${name}'`);
  });
}

function showStart(show: Show, logStartOffset: number): void {
  show({ type: 'logStart', logStartOffset }, () =>
    logStartOffset > 0 ? `the log begins at offset ${logStartOffset}: what led to the state there is not known` : '',
  );
}

/** `    12     3  2026-01-31T12:00:00.000Z  orders-3         leaderChanged  leader 4 → 5 (broker 4 fenced)`. */
export function entryText({ offset, epoch, timestampMs, type, topic, partition, change, cause }: HistoryEntry): string {
  const place = `${String(offset).padStart(8)}  ${(epoch < 0 ? '-' : String(epoch)).padStart(4)}`;
  const name = partition < 0 ? topic : `${topic}-${partition}`;
  const why = cause === '' ? '' : ` (${cause})`;
  // Wide enough for any partition of the topic up to 9999.
  return `${place}  ${isoTime(timestampMs).padEnd(24)}  ${name.padEnd(topic.length + 5)}  ${type.padEnd(15)}  ${change}${why}`.trimEnd();
}
