// Brokers and operators that send random commands to the decisions of the controller. Every batch goes through its bytes and
// replay, as in production; the world keeps the log, so that it can be folded again.
import fc from 'fast-check';
import { fence } from '../../../src/controller/decide/broker-state.ts';
import { decideCreateTopics } from '../../../src/controller/decide/create-topics.ts';
import type { Decided } from '../../../src/controller/decide/decision.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { decideDeleteTopics } from '../../../src/controller/decide/delete-topics.ts';
import { checkBrokerEpoch, decideHeartbeat } from '../../../src/controller/decide/heartbeat.ts';
import { decideAllocateProducerIds } from '../../../src/controller/decide/producer-ids.ts';
import { decideRegisterBroker } from '../../../src/controller/decide/register-broker.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE, isActive, topicByName } from '../../../src/metadata/image.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';
import { LEVEL_1, partitionRecord, record, topicRecord, uuid } from '../../unit/metadata/fixture.ts';
import { History } from './invariants.ts';

const CLUSTER_ID = uuid(77);
const BROKERS = 4;
const TOPICS = 4;

const brokerId = fc.integer({ min: 0, max: BROKERS - 1 });
const topicIndex = fc.integer({ min: 0, max: TOPICS - 1 });

const rarely = fc.integer({ min: 0, max: 11 }).map((n) => n === 11);

/** One command. `expand` and `replicated` stand for what comes with replication: ISR growth, and several replicas. */
const command = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('restart' as const),
      brokerId,
      clean: fc.boolean(),
      sessionValid: fc.boolean(),
      disk: fc.constantFrom('same', 'same', 'same', 'new', 'second'),
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
  { weight: 2, arbitrary: fc.record({ type: fc.constant('expire' as const), brokerId }) },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('create' as const),
      topics: fc.array(topicIndex, { minLength: 1, maxLength: 3 }),
      partitions: fc.integer({ min: -1, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('replicated' as const), topic: topicIndex }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('expand' as const), topic: topicIndex }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('delete' as const), topic: topicIndex }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('allocate' as const), brokerId }) },
);
export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never;

export const commands: fc.Arbitrary<Command[]> = fc.array(command, { maxLength: 60, size: 'max' });

interface Process {
  boot: number;
  incarnation: string;
  dirs: string[];
}

/** Begins with all brokers but the last one in service. */
export class World {
  image: MetadataImage = EMPTY_IMAGE;
  readonly log: Uint8Array[][] = [];
  readonly blocks: number[] = [];
  readonly history = new History();
  readonly #processes: Process[] = Array.from({ length: BROKERS }, () => ({ boot: 0, incarnation: '', dirs: [] }));
  #ids = 10_000;

  constructor() {
    this.#append([LEVEL_1]);
    for (let id = 0; id < BROKERS - 1; id++) {
      this.run({ type: 'restart', brokerId: id, clean: true, sessionValid: false, disk: 'same' });
      this.run({ type: 'heartbeat', brokerId: id, behind: 0, wantFence: false, wantShutdown: false, othersSaw: true });
    }
  }

  run(step: Command): void {
    switch (step.type) {
      case 'restart':
        return this.#restart(step);
      case 'retry': {
        const { boot, incarnation, dirs } = this.#process(step.brokerId);
        if (boot > 0)
          this.#register(
            step.brokerId,
            step.stale ? { boot: boot - 1, incarnation: this.#newId(), dirs } : { boot, incarnation, dirs },
            -1,
            false,
          );
        return;
      }
      case 'heartbeat':
        return this.#heartbeat(step);
      case 'expire': {
        const broker = this.image.brokers.get(step.brokerId);
        if (broker?.fenced === false) this.#append(fence(this.image, broker, 'session expired'));
        return;
      }
      case 'create': {
        const topics = step.topics.map((index) => ({
          name: `t${index}`,
          partitions: step.partitions,
          replicationFactor: -1,
          configs: index === 0 ? { 'segment.bytes': '2000' } : {},
          assignments: [],
        }));
        const context = { defaultPartitions: 2, newTopicId: () => this.#newId() };
        this.#carryOut(decideCreateTopics(this.image, { topics, validateOnly: false, forwarded: false }, context));
        return;
      }
      case 'replicated':
        return this.#createReplicated(`t${step.topic}`);
      case 'expand':
        return this.#expand(`t${step.topic}`);
      case 'delete': {
        const topics = [{ name: `t${step.topic}`, topicId: '' }];
        this.#carryOut(decideDeleteTopics(this.image, { topics, validateOnly: false, forwarded: false }));
        return;
      }
      case 'allocate': {
        const answer = this.#carryOut(
          decideAllocateProducerIds(this.image, { brokerId: step.brokerId, brokerEpoch: 0 }),
        );
        if (answer !== undefined) this.blocks.push(answer.firstProducerId);
        return;
      }
    }
  }

  /** The image folded again from the bytes of the log. */
  fold(): MetadataImage {
    let image = EMPTY_IMAGE;
    for (const records of this.log) image = apply(image, records);
    return image;
  }

  #process(id: number): Process {
    return this.#processes[id] as Process;
  }

  #newId(): string {
    return uuid(this.#ids++);
  }

  #restart({ brokerId: id, clean, sessionValid, disk }: Extract<Command, { type: 'restart' }>): void {
    const process = this.#process(id);
    process.boot++;
    process.incarnation = this.#newId();
    if (disk === 'new' || process.dirs.length === 0) process.dirs = [this.#newId()];
    else if (disk === 'second') process.dirs = [process.dirs[0] as string, this.#newId()];
    const previous = clean ? (this.image.brokers.get(id)?.brokerEpoch ?? -1) : -1;
    this.#register(id, process, previous, sessionValid);
  }

  #register(
    id: number,
    { boot, incarnation, dirs }: Process,
    previousBrokerEpoch: number,
    sessionValid: boolean,
  ): void {
    const request = {
      clusterId: CLUSTER_ID,
      brokerId: id,
      incarnationId: incarnation,
      logDirs: dirs,
      endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: id }],
      rack: '',
      bootCounter: boot,
      previousBrokerEpoch,
      minMetadataLevel: 1,
      maxMetadataLevel: 2,
    };
    this.#carryOut(decideRegisterBroker(this.image, request, { clusterId: CLUSTER_ID, sessionValid }));
  }

  #heartbeat(step: Extract<Command, { type: 'heartbeat' }>): void {
    const brokerEpoch = this.image.brokers.get(step.brokerId)?.brokerEpoch ?? -1;
    const { wantFence, wantShutdown } = step;
    const metadataEndOffset = brokerEpoch + 1 - step.behind;
    const request = {
      brokerId: step.brokerId,
      brokerEpoch,
      metadataEndOffset,
      wantFence,
      wantShutdown,
      offlineLogDirs: [],
    };
    if (isRefusal(checkBrokerEpoch(this.image, request) as Decided<unknown>)) return;
    const context = { shutdownEndOffset: 1, lowestActiveEndOffset: step.othersSaw ? 1 : 0 };
    this.#carryOut(decideHeartbeat(this.image, request, context));
  }

  #createReplicated(name: string): void {
    const active = [...this.image.brokers.values()].filter(isActive).map((broker) => broker.brokerId);
    if (active.length === 0 || topicByName(this.image, name) !== undefined) return;
    const topicId = this.#newId();
    const replicas = active.sort((a, b) => a - b).slice(0, 3);
    this.#append([topicRecord(name, topicId), partitionRecord(topicId, 0, replicas)]);
  }

  #expand(name: string): void {
    const topic = topicByName(this.image, name);
    const state = topic?.partitions.get(0);
    if (topic === undefined || state === undefined || state.leader === -1) return;
    const joins = state.replicas.find((id) => !state.isr.includes(id) && isActive(this.image.brokers.get(id)));
    if (joins === undefined) return;
    const isr = { replicas: [...state.isr, joins] };
    const partitionChange = { topicId: topic.topicId, partition: 0, isr, cause: 'caught up' };
    this.#append([record({ $case: 'partitionChange', partitionChange })]);
  }

  #carryOut<T>(decided: Decided<T>): T | undefined {
    if (isRefusal(decided)) return undefined;
    this.#append(decided.records);
    return decided.respond(this.image);
  }

  #append(records: readonly MetadataRecord[]): void {
    if (records.length === 0) return;
    const bytes = records.map(encodeRecord);
    const before = this.image;
    this.image = apply(before, bytes);
    this.log.push(bytes);
    const broken = this.history.check({ before, records, after: this.image });
    if (broken !== undefined) throw new Error(broken);
  }
}

function apply(image: MetadataImage, bytes: readonly Uint8Array[]): MetadataImage {
  const baseOffset = image.endOffset;
  const records = decodeRecords(bytes, baseOffset);
  return replay(image, { baseOffset, endOffset: baseOffset + bytes.length, epoch: 1, records }).image;
}
