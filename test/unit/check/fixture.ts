// A small good history, to be spoiled in one place by each test.
import type { ClientHistory, FinalLog, LogRecord, Read, TailLoss, Write } from '../../../src/check/history.ts';

export function write(order: number, change: Partial<Write> = {}): Write {
  return {
    text: `p-${order}=`,
    producer: 'p',
    order,
    topic: 't',
    partition: 0,
    invokedAtMs: 100 * order,
    outcome: 'acknowledged',
    offset: order,
    ...change,
  };
}

export function record(offset: number, change: Partial<LogRecord> = {}): LogRecord {
  return {
    offset,
    leaderEpoch: 0,
    text: `p-${offset}=`,
    producerId: 7,
    producerEpoch: 0,
    sequence: offset,
    ...change,
  };
}

export function read(offset: number, change: Partial<Read> = {}): Read {
  return { session: 'c', topic: 't', partition: 0, offset, leaderEpoch: 0, text: `p-${offset}=`, ...change };
}

export function log(records: readonly LogRecord[], change: Partial<FinalLog> = {}): FinalLog {
  return { topic: 't', partition: 0, topicId: 'id', records, ...change };
}

/** Power went at 250 ms, when only offsets below 1 were durable. */
export const LOSS: TailLoss = { topic: 't', partition: 0, atMs: 250, fromOffset: 1, leaderEpoch: 0 };

/** Three records written, read and there. */
export function history(change: Partial<ClientHistory> = {}): ClientHistory {
  return {
    writes: [0, 1, 2].map((order) => write(order)),
    reads: [0, 1, 2].map((offset) => read(offset)),
    logs: [log([0, 1, 2].map((offset) => record(offset)))],
    losses: [],
    ledger: [],
    ...change,
  };
}
