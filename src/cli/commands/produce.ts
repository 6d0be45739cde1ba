// `kvorum produce`: lines of standard input to records.
import { createInterface } from 'node:readline';
import type { ProducerOptions } from '../../client/producer.ts';
import { Producer } from '../../client/producer.ts';
import { UsageError } from '../failure.ts';
import { existingTopic, withKafka } from '../kafka-client.ts';
import type { ProduceOptions } from '../options.ts';

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;

/** Lines that may wait for their acknowledgement before more are read. */
const MAX_UNRESOLVED = 20_000;

export async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const message = {
    topic,
    ...(options.partition === undefined ? {} : { partition: options.partition }),
    ...(options.key === undefined ? {} : { key: Buffer.from(options.key) }),
    headers: (options.header ?? []).map(headerOf),
  };
  const compression = codecOf(options.compression);
  const sent = await withKafka(options, async (cluster) => {
    await existingTopic(cluster, topic);
    const producer = new Producer(cluster, { lingerMs: 5, ...compression });
    let failure: Error | undefined;
    let count = 0;
    for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
      producer.send({ ...message, value: Buffer.from(line) }).catch((error: unknown) => {
        failure ??= error instanceof Error ? error : new Error(String(error));
      });
      count++;
      if (producer.unresolved >= MAX_UNRESOLVED) await producer.flush();
      if (failure !== undefined) break;
    }
    await producer.close();
    if (failure !== undefined) throw failure;
    return count;
  });
  console.error(`${sent} records acknowledged`);
}

function codecOf(text: string | undefined): Pick<ProducerOptions, 'compression'> {
  if (text === undefined || text === 'none') return {};
  const compression = CODECS.find((codec) => codec === text);
  if (compression === undefined) throw new UsageError(`--compression takes ${CODECS.join(', ')}, not '${text}'`);
  return { compression };
}

function headerOf(text: string): { key: string; value: Buffer } {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--header takes name=value, not '${text}'`);
  return { key: text.slice(0, at), value: Buffer.from(text.slice(at + 1)) };
}
