// `kvorum consume`: records to standard output.
import { once } from 'node:events';
import { NO_NODE } from '../../base/ids.ts';
import type { ConsumedRecord, StartAt } from '../../client/consumer.ts';
import { Consumer } from '../../client/consumer.ts';
import type { Format } from '../common-options.ts';
import { UsageError } from '../failure.ts';
import { existingTopic, withKafka } from '../kafka-client.ts';
import type { ConsumeOptions } from '../options.ts';
import { isoTime, shower } from '../output.ts';

function startOf(text: string): StartAt {
  if (text === 'beginning' || text === 'end') return text;
  const match = /^(@?)(\d+)$/.exec(text);
  if (match === null) throw new UsageError(`--from takes beginning, end, an offset, or @milliseconds, not '${text}'`);
  const number = Number(match[2]);
  return match[1] === '@' ? { timestamp: number } : { offset: number };
}

export async function consume(topic: string, options: ConsumeOptions): Promise<void> {
  const start = startOf(options.from);
  const write = await writer(options.format);
  await withKafka(options, async (cluster) => {
    const { partitions } = await existingTopic(cluster, topic);
    const wanted = options.partition === undefined ? partitions.map((_, i) => i) : [options.partition];
    if (wanted.some((partition) => partition >= partitions.length)) {
      throw new UsageError(`${topic} has partitions 0 to ${partitions.length - 1}, not ${options.partition}`);
    }
    for (const partition of wanted.filter((it) => partitions[it]?.leaderId === NO_NODE)) {
      const name = `${topic}-${partition}`;
      console.error(
        `kvorum: ${name} has no leader, its records wait for one; kvorum partition explain ${name} says why`,
      );
    }
    const consumer = new Consumer(
      cluster,
      wanted.map((partition) => ({ topic, partition, start })),
      { readToEnd: options.exit === true },
    );
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => consumer.close());
    let left = options.count ?? Number.POSITIVE_INFINITY;
    for await (const record of consumer.records()) {
      if (!write(record)) await once(process.stdout, 'drain');
      if (--left === 0) break;
    }
  });
}

/** Prints a record; false if nobody reads fast enough. */
async function writer(format: Format): Promise<(record: ConsumedRecord) => boolean> {
  if (format === 'text') return ({ value }) => process.stdout.write(`${value?.toString() ?? ''}\n`);
  const show = await shower(format);
  return (record) => {
    const fields = fieldsOf(record);
    show(fields, () => wideText(fields));
    return !process.stdout.writableNeedDrain;
  };
}

/** Keys, values and header values as text; null stays null. */
function fieldsOf(record: ConsumedRecord) {
  const { key, value, headers, ...rest } = record;
  return {
    ...rest,
    key: key?.toString() ?? null,
    value: value?.toString() ?? null,
    headers: headers.map((header) => [header.key, header.value?.toString() ?? null]),
  };
}

function wideText({ topic, partition, offset, timestamp, key, value, headers }: ReturnType<typeof fieldsOf>): string {
  const notes = headers.map(([name, text]) => `${name}=${text ?? 'null'}`);
  return `${topic}-${partition}  ${offset}  ${isoTime(timestamp)}  ${key ?? '-'}  ${value ?? 'null'}  ${notes.join(' ')}`.trimEnd();
}
