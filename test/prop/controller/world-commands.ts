// Random commands of brokers, leaders and administrators, as plain data.
import fc from 'fast-check';

export const BROKERS = 4;
const TOPICS = 4;
/** Partitions of a topic at most. */
const PARTITIONS = 5;

const brokerId = fc.integer({ min: 0, max: BROKERS - 1 });
const topic = fc.integer({ min: 0, max: TOPICS - 1 });
const partition = fc.integer({ min: 0, max: 2 });
/** Partitions that one batch moves at most: brokers leave in several. */
const limit = fc.constantFrom(1, 2, 1000);

const rarely = fc.integer({ min: 0, max: 11 }).map((n) => n === 11);

const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      brokerId,
      clean: fc.boolean(),
      sessionValid: fc.boolean(),
      disk: fc.constantFrom('same', 'same', 'same', 'same', 'same', 'same', 'same', 'new', 'second'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('retry' as const), brokerId, stale: fc.boolean() }) },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('heartbeat' as const),
      brokerId,
      behind: fc.constantFrom(0, 0, 1),
      wantFence: rarely,
      wantShutdown: rarely,
      othersSaw: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('expire' as const), brokerId, limit }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('create' as const),
      topics: fc.array(topic, { minLength: 1, maxLength: 3 }),
      partitions: fc.integer({ min: -1, max: PARTITIONS }),
      replicationFactor: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('grow' as const), topic, to: fc.integer({ min: 1, max: PARTITIONS }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('alter' as const),
      topic,
      partition,
      /** Which replicas are wanted in the ISR, by position. */
      members: fc.constantFrom(7, 7, 7, 7, 1, 2, 3, 4, 5, 6),
      recovered: fc.boolean(),
      epochsOff: fc.constantFrom(0, 0, 0, 0, -1, 1),
      /** The members are known by registrations that they had before. */
      oldLives: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('elect' as const), topic, partition, unclean: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('configure' as const),
      /** Undefined: the default of all. */
      topic: fc.option(topic, { nil: undefined }),
      key: fc.constantFrom('min.insync.replicas', 'unclean.leader.election.enable'),
      value: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('report' as const),
      brokerId,
      topic,
      partition,
      kind: fc.integer({ min: 1, max: 4 }),
      fromOffset: fc.integer({ min: 0, max: 30 }),
      length: fc.constantFrom(0, 0, 1, 7, 20),
      highWatermark: fc.integer({ min: -1, max: 50 }),
      /** Not that replica, but one that the ledger waits for, if it waits for any. */
      asked: fc.constantFrom(true, true, false),
      /** Of the partition's leader epochs. */
      epochsBack: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('electLeaderless', 'balance'), limit }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('loseDirectory' as const), brokerId, limit }) },
  /** A broker comes back without its disk; `asked` as for reports. */
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('replaceDisk' as const),
      brokerId,
      topic,
      partition,
      asked: fc.boolean(),
    }),
  },
  /** Says where it has its replicas of a topic. */
  { weight: 2, arbitrary: fc.record({ type: fc.constant('assign' as const), brokerId, topic, second: rarely }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const), topic }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('allocate' as const), brokerId }) },
);
export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

export const commands: fc.Arbitrary<Command[]> = fc.array(command, { maxLength: 80, size: 'max' });
