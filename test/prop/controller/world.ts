// Brokers, leaders and administrators that send random commands to the decisions of the controller. Every batch goes through its
// bytes and replay, as in production, and through the checker of the metadata log; the world keeps the log, to fold it again.
import type { NodeId } from '../../../src/base/ids.ts';
import { checkFold } from '../../../src/check/images.ts';
import { MetadataHistory } from '../../../src/check/metadata.ts';
import { electLeaderless, electPreferred } from '../../../src/controller/decide/affected-partitions.ts';
import { decideAlterConfigs } from '../../../src/controller/decide/alter-configs.ts';
import { decideAlterPartition } from '../../../src/controller/decide/alter-partition.ts';
import type { Step } from '../../../src/controller/decide/broker-state.ts';
import { failDirectories, fence, leave } from '../../../src/controller/decide/broker-state.ts';
import { decideCreatePartitions } from '../../../src/controller/decide/create-partitions.ts';
import { decideCreateTopics } from '../../../src/controller/decide/create-topics.ts';
import type { Decided } from '../../../src/controller/decide/decision.ts';
import { isRefusal } from '../../../src/controller/decide/decision.ts';
import { decideDeleteTopics } from '../../../src/controller/decide/delete-topics.ts';
import { decideElectLeaders } from '../../../src/controller/decide/elect-leaders.ts';
import { checkBrokerEpoch, decideHeartbeat } from '../../../src/controller/decide/heartbeat.ts';
import { electionPolicyOf } from '../../../src/controller/decide/policy.ts';
import { decideAllocateProducerIds } from '../../../src/controller/decide/producer-ids.ts';
import { decideRegisterBroker } from '../../../src/controller/decide/register-broker.ts';
import { decideAssignReplicasToDirs } from '../../../src/controller/decide/replica-directories.ts';
import { decideReportLosses } from '../../../src/controller/decide/report-losses.ts';
import { ConfigOperation, ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import type { LossKind, MetadataRecord, ReplicaLossRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE, topicByName } from '../../../src/metadata/image.ts';
import { imageFromRecords, imageToRecords } from '../../../src/metadata/image-records.ts';
import { decodeRecords, encodeRecord, LATEST_METADATA_LEVEL } from '../../../src/metadata/record.ts';
import { record, uuid } from '../../unit/metadata/fixture.ts';
import { apply } from './batch.ts';
import { checkElected } from './invariants.ts';
import { LedgerModel } from './ledger-model.ts';
import type { Command } from './world-commands.ts';
import { BROKERS } from './world-commands.ts';

const CLUSTER_ID = uuid(77);

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
  readonly history = new MetadataHistory();
  readonly ledger = new LedgerModel();
  /** What the model of the ledger has seen, record by record. */
  #told: MetadataImage = EMPTY_IMAGE;
  readonly #processes: Process[] = Array.from({ length: BROKERS }, () => ({ boot: 0, incarnation: '', dirs: [] }));
  #ids = 10_000;

  constructor(level = LATEST_METADATA_LEVEL) {
    this.#append([record({ $case: 'metadataLevel', metadataLevel: { level } })]);
    for (let id = 0; id < BROKERS - 1; id++) {
      this.run({ type: 'restart', brokerId: id, clean: true, sessionValid: false, disk: 'same' });
      this.run({ type: 'heartbeat', brokerId: id, behind: 0, wantFence: false, wantShutdown: false, othersSaw: true });
    }
  }

  /** Error with the property that a batch breaks. */
  run(step: Command): void {
    switch (step.type) {
      case 'restart':
        return this.#restart(step);
      case 'retry':
        return this.#retry(step);
      case 'heartbeat':
        return this.#heartbeat(step);
      case 'expire':
        return this.#leave(step.brokerId, (image) => {
          const broker = image.brokers.get(step.brokerId);
          return broker?.fenced === false ? fence(image, broker, 'session expired', step.limit) : undefined;
        });
      case 'loseDirectory': {
        const online = this.image.brokers.get(step.brokerId)?.logDirs.slice(1) ?? [];
        if (this.image.level < 2) return;
        return this.#leave(step.brokerId, (image) => {
          const broker = image.brokers.get(step.brokerId);
          if (broker === undefined || broker.logDirs.length === online.length) return undefined;
          return failDirectories(image, broker, online, step.limit);
        });
      }
      case 'electLeaderless':
        return this.#append(electLeaderless(this.image, electionPolicyOf(this.image), step.limit ?? 1));
      case 'balance':
        return this.#append(electPreferred(this.image, electionPolicyOf(this.image), step.limit ?? 1));
      case 'alter':
        return this.#alter(step);
      case 'replaceDisk': {
        const { brokerId: id, topic } = this.#aimed(step);
        this.run({ type: 'assign', brokerId: id, topic, second: false });
        this.run({ type: 'restart', brokerId: id, clean: false, sessionValid: false, disk: 'new' });
        return this.run({ type: 'assign', brokerId: id, topic, second: false });
      }
      case 'assign':
        return this.#assign(step);
      case 'report':
        return this.#report(step);
      case 'allocate': {
        const answer = this.#carryOut(decideAllocateProducerIds(this.image, { ...step, brokerEpoch: 0 }));
        if (answer !== undefined) this.blocks.push(answer.firstProducerId);
        return;
      }
      default:
        return this.#administrate(step);
    }
  }

  /** The image folded again from the bytes of the log. */
  fold(): MetadataImage {
    let image = EMPTY_IMAGE;
    for (const records of this.log) image = apply(image, records).image;
    return image;
  }

  /** Error with the property if a snapshot taken now would say something else. */
  checkSnapshot(): void {
    const { endOffset, epoch } = this.image;
    const again = imageFromRecords(imageToRecords(this.image), endOffset, epoch);
    const wrong = this.ledger.difference(again, 'all');
    if (wrong !== undefined) throw new Error(`S-D8: in a snapshot ${wrong}`);
  }

  #administrate(step: Extract<Command, { type: 'create' | 'grow' | 'elect' | 'configure' | 'delete' }>): void {
    const { image } = this;
    const flags = { validateOnly: false, forwarded: false };
    switch (step.type) {
      case 'create': {
        const topics = step.topics.map((index) => ({
          name: `t${index}`,
          partitions: step.partitions,
          replicationFactor: step.replicationFactor,
          configs: index === 0 ? { 'segment.bytes': '2000' } : {},
          assignments: [],
        }));
        const context = { defaultPartitions: 2, defaultReplicationFactor: 1, newTopicId: () => this.#newId() };
        return void this.#carryOut(decideCreateTopics(image, { ...flags, topics }, context));
      }
      case 'grow': {
        const topics = [{ topic: `t${step.topic}`, totalCount: step.to, assignments: [] }];
        return void this.#carryOut(decideCreatePartitions(image, { ...flags, topics }));
      }
      case 'elect': {
        const named = { topic: `t${step.topic}`, partition: step.partition };
        if (step.unclean) this.history.uncleanElectionAsked(named.topic, named.partition);
        const type = step.unclean ? ElectionType.UNCLEAN : ElectionType.PREFERRED;
        const request = { ...flags, type, partitions: [named] };
        return void this.#carryOut(decideElectLeaders(image, request, electionPolicyOf(image)));
      }
      case 'configure': {
        const { key, value, topic } = step;
        const isCluster = topic === undefined;
        const resource = isCluster
          ? { scope: ConfigScope.BROKER, name: '' }
          : { scope: ConfigScope.TOPIC, name: `t${topic}` };
        const text = key === 'min.insync.replicas' ? String(value) : String(value % 2 === 1);
        const operation = value === 0 ? ConfigOperation.RESET : ConfigOperation.SET;
        const alterations = [{ key, operation, value: value === 0 ? '' : text }];
        return void this.#carryOut(decideAlterConfigs(image, { ...flags, resources: [{ resource, alterations }] }));
      }
      case 'delete': {
        const topics = [{ name: `t${step.topic}`, topicId: '' }];
        return void this.#carryOut(decideDeleteTopics(image, { ...flags, topics }));
      }
    }
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

  #retry({ brokerId, stale }: Extract<Command, { type: 'retry' }>): void {
    const { boot, incarnation, dirs } = this.#process(brokerId);
    if (boot === 0) return;
    const earlier = { boot: boot - (this.#ids % 2), incarnation: this.#newId(), dirs };
    const life = stale ? earlier : { boot, incarnation, dirs };
    this.#register(brokerId, life, -1, false);
  }

  #register(id: number, life: Process, previousBrokerEpoch: number, sessionValid: boolean): void {
    const request = {
      clusterId: CLUSTER_ID,
      brokerId: id,
      incarnationId: life.incarnation,
      logDirs: life.dirs,
      endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: id }],
      rack: '',
      bootCounter: life.boot,
      previousBrokerEpoch,
      afterCrash: false,
      minMetadataLevel: 1,
      maxMetadataLevel: LATEST_METADATA_LEVEL,
    };
    for (;;) {
      const context = { clusterId: CLUSTER_ID, sessionValid, limit: 3 };
      const decided = decideRegisterBroker(this.image, request, context);
      if (!('predecessor' in decided)) return void this.#carryOut(decided);
      this.#append(leave(this.image, decided.leaving, 3).records, id);
    }
  }

  #heartbeat(step: Extract<Command, { type: 'heartbeat' }>): void {
    const { brokerId, wantFence, wantShutdown } = step;
    const brokerEpoch = this.image.brokers.get(brokerId)?.brokerEpoch ?? -1;
    const metadataEndOffset = brokerEpoch + 1 - step.behind;
    const request = { brokerId, brokerEpoch, metadataEndOffset, wantFence, wantShutdown, offlineLogDirs: [] };
    if (isRefusal(checkBrokerEpoch(this.image, request) as Decided<unknown>)) return;
    const context = { shutdownEndOffset: 1, lowestActiveEndOffset: step.othersSaw ? 1 : 0 };
    this.#carryOut(decideHeartbeat(this.image, request, context));
  }

  #alter({ topic, partition, members, recovered, epochsOff, oldLives }: Extract<Command, { type: 'alter' }>): void {
    const image = topicByName(this.image, `t${topic}`);
    const state = image?.partitions.get(partition);
    if (image === undefined || state === undefined || state.leader < 0) return;
    const wanted = state.replicas.filter((id, i) => id === state.leader || (members & (1 << i)) !== 0);
    const epochOf = (id: number): number => (this.image.brokers.get(id)?.brokerEpoch ?? 0) - (oldLives ? 1 : 0);
    const item = {
      topicId: image.topicId,
      partition,
      leaderEpoch: state.leaderEpoch,
      partitionEpoch: state.partitionEpoch + epochsOff,
      isr: wanted.map((brokerId) => ({ brokerId, brokerEpoch: epochOf(brokerId) })),
      recovering: state.recovering && !recovered,
    };
    const sender = { brokerId: state.leader, brokerEpoch: this.image.brokers.get(state.leader)?.brokerEpoch ?? -1 };
    this.history.alterationAsked({ ...item, senderId: sender.brokerId, senderEpoch: sender.brokerEpoch });
    this.#carryOut(decideAlterPartition(this.image, { ...sender, partitions: [item] }, electionPolicyOf(this.image)));
  }

  #assign({ brokerId, topic, second }: Extract<Command, { type: 'assign' }>): void {
    const image = topicByName(this.image, `t${topic}`);
    const broker = this.image.brokers.get(brokerId);
    const directoryId = broker?.logDirs[second ? 1 : 0];
    if (image === undefined || broker === undefined || directoryId === undefined) return;
    const { topicId } = image;
    const replicas = [...image.partitions].flatMap((state, partition) =>
      state.replicas.includes(brokerId) ? [{ topicId, partition, directoryId }] : [],
    );
    const { brokerEpoch } = broker;
    this.#carryOut(decideAssignReplicasToDirs(this.image, { brokerId, brokerEpoch, replicas }));
  }

  /** That replica, or one that the ledger waits for. */
  #aimed(
    step: Extract<Command, { type: 'report' | 'replaceDisk' }>,
  ): Pick<typeof step, 'brokerId' | 'topic' | 'partition'> {
    const waiting = [...this.image.losses].flatMap(([topicId, partitions]) =>
      [...partitions].flatMap(([partition, entries]) =>
        entries.flatMap(({ awaited }) =>
          awaited.map((brokerId) => {
            const topic = Number(this.image.topics.get(topicId)?.name.slice(1));
            return { brokerId, topic, partition };
          }),
        ),
      ),
    );
    const aim = waiting[(step.brokerId + step.topic + step.partition) % waiting.length];
    return step.asked && aim !== undefined ? aim : step;
  }

  #report(step: Extract<Command, { type: 'report' }>): void {
    const { topic, partition, brokerId } = this.#aimed(step);
    const { kind, fromOffset, length, highWatermark, epochsBack } = step;
    const image = topicByName(this.image, `t${topic}`);
    const state = image?.partitions.get(partition);
    if (image === undefined || state === undefined) return;
    this.report({
      topicId: image.topicId,
      partition,
      brokerId,
      leaderEpoch: Math.max(0, state.leaderEpoch - epochsBack),
      kind: kind as LossKind,
      fromOffset,
      toOffset: fromOffset + length,
      highWatermark,
      reason: '',
    });
  }

  /** A replica says what it lost; the answer to it. */
  report(loss: ReplicaLossRecord): string | undefined {
    const { brokerId } = loss;
    const brokerEpoch = this.image.brokers.get(brokerId)?.brokerEpoch ?? -1;
    const answer = this.#carryOut(decideReportLosses(this.image, { brokerId, brokerEpoch, losses: [loss] }));
    return answer?.losses[0]?.error?.name;
  }

  /** Batch after batch, each decided on what the one before left. */
  #leave(brokerId: NodeId, next: (image: MetadataImage) => Step | undefined): void {
    for (let step = next(this.image); step !== undefined; step = step.isComplete ? undefined : next(this.image)) {
      this.#append(step.records, brokerId);
    }
  }

  #tell(bytes: Uint8Array, offset: number): MetadataImage {
    const [one] = decodeRecords([bytes], offset);
    const { image } = apply(this.#told, [bytes]);
    if (one !== undefined) this.ledger.see(one, this.#told, image);
    return image;
  }

  #carryOut<T>(decided: Decided<T>): T | undefined {
    if (isRefusal(decided)) return undefined;
    this.#append(decided.records);
    return decided.respond(this.image);
  }

  #append(records: readonly MetadataRecord[], leaving?: NodeId): void {
    if (records.length === 0) return;
    const bytes = records.map(encodeRecord);
    const { baseOffset, endOffset, image, delta } = apply(this.image, bytes);
    const { history } = this;
    for (const [i, one] of bytes.entries()) this.#told = this.#tell(one, baseOffset + i);
    this.image = image;
    this.log.push(bytes);
    const { topics, removedTopics, brokers } = delta;
    const changes = {
      endOffset,
      topics: [...topics].flatMap((id) => image.topics.get(id) ?? []),
      removedTopics: removedTopics.keys(),
      brokers: [...brokers].flatMap((id) => image.brokers.get(id) ?? []),
    };
    const broken =
      history.commit({ baseOffset, endOffset, records }) ??
      checkFold(history.state, changes) ??
      checkElected(image, leaving);
    if (broken !== undefined) throw new Error(`${broken.property}: ${broken.detail}`);
    const wrong = this.ledger.difference(image);
    if (wrong !== undefined) throw new Error(`S-D8: ${wrong}`);
  }
}
