// A small good history, to be spoiled in one place by each test.
import type {
  ClientHistory,
  FinalLog,
  LogRecord,
  LossEntry,
  LossRange,
  Read,
  TailLoss,
  Write,
} from '../../../src/check/history.ts';

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

/** Broker 2 was elected uncleanly into epoch 1 and had one record; broker 1 came back and cut the rest. */
export const ENTRY: LossEntry = {
  topic: 't',
  partition: 0,
  leader: 2,
  oldLeaderEpoch: 0,
  newLeaderEpoch: 1,
  ranges: [range(2, 1, 1, { kind: 'led' }), range(1, 1, 3)],
  awaited: [],
};

export function range(brokerId: number, fromOffset: number, toOffset: number, change: Partial<LossRange> = {}) {
  return { brokerId, kind: 'cut', leaderEpoch: 1, fromOffset, toOffset, highWatermark: toOffset, ...change } as const;
}

/** Of {@link ENTRY}: `p-1=` and `p-2=` are gone, and epoch 1 wrote `q-0=` where the one of them was. */
export function lossy(change: Partial<ClientHistory> = {}): ClientHistory {
  return {
    writes: [...[0, 1, 2].map((order) => write(order)), write(0, { producer: 'q', text: 'q-0=', offset: 1 })],
    reads: [
      ...[0, 1, 2].map((offset) => read(offset)),
      ...[read(0), read(1, { text: 'q-0=', leaderEpoch: 1 })].map((it) => ({ ...it, session: 'final' })),
    ],
    logs: [log([record(0), record(1, { text: 'q-0=', leaderEpoch: 1, producerId: 8, sequence: 0 })])],
    losses: [],
    ledger: [ENTRY],
    ...change,
  };
}

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
