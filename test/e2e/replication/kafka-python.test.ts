// kafka-python against six processes: what its idempotent producer is told with acks=all is there, once and in order, though leaders are
// killed meanwhile.
import { afterAll, afterEach, expect, it } from 'vitest';
import { hasKafkaPython, startPython } from '../kafka-python.ts';
import { cleanUp } from '../processes.ts';
import { SixProcesses } from './cluster.ts';

const TOPIC = 'from-python';
const PARTITIONS = 2;
const RECORDS = 3000;
/** A leader is killed after so many acknowledgements. */
const KILLS = [500, 1500];

/** Prints `partition offset value` for each acknowledged record. */
const PRODUCE = `
import sys, threading, time
from kafka import KafkaProducer
bootstrap, topic, partitions, count = sys.argv[1].split(','), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
producer = KafkaProducer(bootstrap_servers=bootstrap, acks='all', enable_idempotence=True)
lock, failures = threading.Lock(), []
def told(n):
    def callback(metadata):
        with lock:
            print(metadata.partition, metadata.offset, 'python-%d' % n)
    return callback
for n in range(count):
    future = producer.send(topic, value=b'python-%d' % n, partition=n % partitions)
    future.add_callback(told(n)).add_errback(failures.append)
    time.sleep(0.004)
producer.flush(timeout=120)
producer.close()
sys.exit(str(failures[:3]) if failures else 0)
`;

/** Prints `partition offset value` for each record until `count` are there. */
const CONSUME = `
import sys, time
from kafka import KafkaConsumer, TopicPartition
bootstrap, topic, partitions, count = sys.argv[1].split(','), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=None, auto_offset_reset='earliest')
consumer.assign([TopicPartition(topic, p) for p in range(partitions)])
consumer.seek_to_beginning()
ends = consumer.end_offsets(consumer.assignment())
while any(consumer.position(p) < end for p, end in ends.items()):
    for batch in consumer.poll(timeout_ms=1000).values():
        for record in batch:
            print(record.partition, record.offset, record.value.decode())
`;

let cluster: SixProcesses | undefined;
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') cluster?.keepLogs(task.name);
  await cluster?.remove();
});
afterAll(cleanUp);

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

// kafka-python.ts has said why there is none.
it.skipIf(!hasKafkaPython)('what kafka-python was told is there, though leaders are killed', async () => {
  cluster = await SixProcesses.start();
  await cluster.createTopic(TOPIC, PARTITIONS);
  const args = [cluster.bootstrap, TOPIC, String(PARTITIONS), String(RECORDS)];
  const producer = startPython(PRODUCE, args);
  for (const [partition, acknowledged] of KILLS.entries()) {
    const isTold = ({ stdout }: { stdout: string }): boolean => linesOf(stdout).length >= acknowledged;
    await producer.until(isTold, `${acknowledged} acknowledgements`, 120_000);
    const leader = (await cluster.partitions(TOPIC))[partition]?.leader ?? -1;
    await cluster.signal(leader, 'SIGKILL');
    await new Promise((resolve) => void setTimeout(resolve, 1000));
    cluster.begin(leader);
    await cluster.allInSync([TOPIC]);
  }
  const produced = await producer.ended(180_000);
  expect(produced).toMatchObject({ code: 0 });
  const told = linesOf(produced.stdout);
  expect(told).toHaveLength(RECORDS);
  const read = await startPython(CONSUME, args).ended(60_000);
  expect(read).toMatchObject({ code: 0 });
  const records = linesOf(read.stdout);
  expect(records.toSorted()).toEqual(told.toSorted());
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values = records.filter((it) => it.startsWith(`${partition} `)).map((it) => Number(it.split('-').at(-1)));
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  }
});
