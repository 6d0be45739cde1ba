// The committed metadata log, record by record: S-M1, S-M2, S-M4 to S-M8 and S-M10 as far as the log shows them. What clients
// asked for is told beforehand, so that what nobody asked for is found too.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { CommandHistory } from './commands.ts';
import type { SeenBatch, SeenKind, SeenReplicaLoss, SeenUncleanElection } from './metadata-records.ts';
import type { PartitionFacts, PartitionStep } from './metadata-state.ts';
import { DEFAULT_MIN_ISR, MetadataState, nameOf } from './metadata-state.ts';
import { checkElection, checkElr, checkShape, ELR_LEVEL, LEDGER_LEVEL, show } from './partition-steps.ts';
import { RegistrationHistory } from './registrations.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

const MIN_ISR = 'min.insync.replicas';

/** A change of an ISR that a leader asks for. */
export interface AskedAlteration {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: Epoch;
  readonly senderId: NodeId;
  readonly senderEpoch: Offset;
  readonly isr: readonly { readonly brokerId: NodeId; readonly brokerEpoch: Offset }[];
}

/** What a batch has done, for the checks that look at it as a whole: it is atomic. */
interface BatchFacts {
  readonly steps: PartitionStep[];
  readonly brokers: Set<NodeId>;
  readonly unclean: Map<string, SeenUncleanElection>;
  /** Topics whose min.insync.replicas was set or removed; undefined for the default of all. */
  readonly minIsrChanged: Set<string | undefined>;
}

export class MetadataHistory {
  readonly state = new MetadataState();
  readonly commands = new CommandHistory();
  readonly #registrations = new RegistrationHistory();
  readonly #usedTopicIds = new Set<Uuid>();
  readonly #asked = new Map<string, AskedAlteration[]>();
  readonly #uncleanAsked = new Set<string>();
  /** How often things happened that tests are meant to reach. */
  readonly counts = new Map<string, number>();
  endOffset: Offset = 0;
  uncleanElections = 0;
  #nextProducerId = 0;

  /** S-M5: an ISR grows only by what a leader asked for. To be told before the request is sent. */
  alterationAsked(asked: AskedAlteration): void {
    const key = `${asked.topicId}-${asked.partition}@${asked.partitionEpoch}`;
    const others = this.#asked.get(key);
    if (others === undefined) this.#asked.set(key, [asked]);
    else others.push(asked);
  }

  /** S-M4: an administrator asks for an unclean election. To be told before the request is sent. */
  uncleanElectionAsked(topic: string, partition: number): void {
    this.#uncleanAsked.add(`${topic}-${partition}`);
  }

  /** The next committed batch. */
  commit({ baseOffset, endOffset, records }: SeenBatch): Violation | undefined {
    if (baseOffset !== this.endOffset) {
      return violation('S-M8', `a batch at ${baseOffset} follows what ends at ${this.endOffset}`);
    }
    const batch: BatchFacts = { steps: [], brokers: new Set(), unclean: new Map(), minIsrChanged: new Set() };
    for (const [i, { kind }] of records.entries()) {
      if (kind === undefined) continue;
      const found = this.#apply(kind, baseOffset + i, batch);
      if (found !== undefined) return at(found, baseOffset + i);
      if (kind.$case === 'command' && i < records.length - 1) {
        return violation('S-M10', `the record of a command at ${baseOffset + i} is not the last of its batch`);
      }
    }
    this.endOffset = endOffset;
    const found = this.#checkBatch(batch);
    return found === undefined ? undefined : at(found, baseOffset);
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  #apply(kind: SeenKind, offset: Offset, batch: BatchFacts): Violation | undefined {
    const { state } = this;
    switch (kind.$case) {
      case 'metadataLevel':
        if (kind.metadataLevel.level <= state.level) return violation('S-M8', 'the metadata level is not raised');
        state.level = kind.metadataLevel.level;
        return undefined;
      case 'registerBroker': {
        batch.brokers.add(kind.registerBroker.brokerId);
        this.#count(kind.registerBroker.cleanStart ? 'clean registration' : 'unclean registration');
        return this.#registrations.register(state, kind.registerBroker, offset);
      }
      case 'brokerChange':
        batch.brokers.add(kind.brokerChange.brokerId);
        return this.#registrations.change(state, kind.brokerChange);
      case 'unregisterBroker':
        batch.brokers.add(kind.unregisterBroker.brokerId);
        return this.#registrations.unregister(state, kind.unregisterBroker);
      case 'config': {
        const { scope, entity, key } = kind.config;
        const inForce = (): string | undefined =>
          scope === 1 ? state.topicConfig(entity, key) : state.config(scope, entity, key);
        const before = inForce();
        state.setConfig(kind.config);
        if (key !== MIN_ISR || (scope === 2 && entity !== '')) return undefined;
        const isSame = minIsr(before) === minIsr(inForce());
        if (!isSame) batch.minIsrChanged.add(scope === 1 ? entity : undefined);
        return undefined;
      }
      case 'uncleanElection': {
        const { topicId, partition } = kind.uncleanElection;
        batch.unclean.set(`${topicId}-${partition}`, kind.uncleanElection);
        return undefined;
      }
      case 'command':
        return this.commands.record(kind.command);
      case 'producerIds': {
        const { nextProducerId } = kind.producerIds;
        if (nextProducerId <= this.#nextProducerId) return violation('S-M8', 'a block of producer ids is given twice');
        this.#nextProducerId = nextProducerId;
        return undefined;
      }
      case 'replicaLoss':
        return this.#checkLoss(kind.replicaLoss);
      case 'partitionLoss':
        return violation('S-M8', 'the log has an entry of the loss ledger, which is for snapshots alone');
      case 'noOp':
        return undefined;
      default:
        return this.#applyToTopic(kind, batch);
    }
  }

  /** S-D8 b: what a replica says in the ledger is of a partition and a leader epoch that there are. */
  #checkLoss(loss: SeenReplicaLoss): Violation | undefined {
    const { topicId, partition, brokerId, leaderEpoch, kind, fromOffset, toOffset } = loss;
    this.#count('loss reported');
    const at = this.state.topics.get(topicId)?.partitions[partition];
    const who = `broker ${brokerId} reports a loss of partition ${partition}`;
    if (at === undefined) return violation('S-D8', `${who} of topic id ${topicId}, which is not there`);
    if (this.state.level < LEDGER_LEVEL) return violation('S-D8', `${who} at metadata level ${this.state.level}`);
    if (leaderEpoch > at.state.leaderEpoch) return violation('S-D8', `${who} in leader epoch ${leaderEpoch} to come`);
    const isSane = kind >= 1 && kind <= 4 && fromOffset >= 0 && fromOffset <= toOffset;
    return isSane ? undefined : violation('S-D8', `${who} of kind ${kind} from ${fromOffset} to ${toOffset}`);
  }

  #applyToTopic(
    kind: Extract<SeenKind, { $case: 'topic' | 'partition' | 'partitionChange' | 'removeTopic' }>,
    batch: BatchFacts,
  ): Violation | undefined {
    const { state } = this;
    if (kind.$case === 'topic') {
      const { name, topicId } = kind.topic;
      if (this.#usedTopicIds.has(topicId)) return violation('S-M8', `topic id ${topicId} of ${name} is used again`);
      if (state.topicIds.has(name)) return violation('S-M8', `topic ${name} is created, and exists`);
      this.#usedTopicIds.add(topicId);
      state.createTopic(name, topicId);
      return undefined;
    }
    const { topicId } =
      kind.$case === 'partition'
        ? kind.partition
        : kind.$case === 'removeTopic'
          ? kind.removeTopic
          : kind.partitionChange;
    const topic = state.topics.get(topicId);
    if (topic === undefined) return violation('S-M8', `a ${kind.$case} is for topic id ${topicId}, which is not there`);
    if (kind.$case === 'removeTopic') {
      state.removeTopic(topic);
      return undefined;
    }
    if (kind.$case === 'partition') {
      const { partition } = kind.partition;
      if (partition !== topic.partitions.length) {
        return violation('S-M8', `partition ${partition} of ${topic.name} is created out of turn`);
      }
      return this.#step(state.createPartition(topic, kind.partition), batch);
    }
    const partition = topic.partitions[kind.partitionChange.partition];
    if (partition === undefined) return violation('S-M8', `a partition of ${topic.name} is changed that is not there`);
    return this.#step(state.changePartition(partition, kind.partitionChange), batch);
  }

  #step(step: PartitionStep, batch: BatchFacts): Violation | undefined {
    const { state } = this;
    batch.steps.push(step);
    const { at: partition, before, after } = step;
    const { topic } = partition;
    const key = `${topic.topicId}-${partition.partition}`;
    const unclean = batch.unclean.get(key);
    batch.unclean.delete(key);
    // Where there is one replica, nobody else could have more. What was asked for once may come late, and then says so.
    const isAllowed =
      after.replicas.length === 1 ||
      state.topicConfig(topic.name, 'unclean.leader.election.enable') === 'true' ||
      (this.#uncleanAsked.has(nameOf(partition)) && unclean?.cause.includes('administrator') === true);
    if (unclean !== undefined) {
      this.uncleanElections++;
      const isLastKnown = before?.lastKnownLeader === after.leader;
      this.#count(isLastKnown ? 'unclean election of the last known leader' : 'unclean election');
    } else if (before?.elr.includes(after.leader) === true && step.setsLeader) this.#count('election from the ELR');
    return (
      checkShape(after, state.level, nameOf(partition)) ??
      checkElection(step, unclean, isAllowed) ??
      checkElr(step, state) ??
      this.#checkAsked(step)
    );
  }

  /** S-M5: who enters an ISR, but as its new leader, was asked for by the leader, in the registration that it has now. */
  #checkAsked({ at: { topic, partition }, before, after, setsLeader }: PartitionStep): Violation | undefined {
    if (before === undefined) return undefined;
    const entered = after.isr.filter((id) => !before.isr.includes(id) && !(setsLeader && id === after.leader));
    if (entered.length === 0) return undefined;
    this.#count('ISR expanded');
    const asked = this.#asked.get(`${topic.topicId}-${partition}@${before.partitionEpoch}`) ?? [];
    const epochOf = (id: NodeId): Offset | undefined => this.state.brokers.get(id)?.brokerEpoch;
    const isFounded = asked.some(
      ({ leaderEpoch, senderId, senderEpoch, isr }) =>
        leaderEpoch === before.leaderEpoch &&
        senderId === before.leader &&
        senderEpoch === epochOf(senderId) &&
        entered.every((id) => isr.some(({ brokerId, brokerEpoch }) => brokerId === id && brokerEpoch === epochOf(id))),
    );
    if (isFounded) return undefined;
    const detail = `broker ${entered.join()} came into the ISR of ${topic.name}-${partition} as no leader had asked`;
    return violation('S-M5', `${detail} (${show(before)} → ${show(after)})`);
  }

  #checkBatch({ steps, brokers, unclean, minIsrChanged }: BatchFacts): Violation | undefined {
    for (const { partition, cause } of unclean.values()) {
      return violation(
        'S-M4',
        `an unclean election of partition ${partition} is recorded (${cause}), and none follows`,
      );
    }
    if (steps.filter(({ before }) => before !== undefined).length > 1) this.#count('batch of partition changes');
    return (
      firstViolation(steps, (step) => this.#checkMembers(step)) ??
      firstViolation(brokers, (id) => this.#checkFenced(id)) ??
      firstViolation(minIsrChanged, (topic) => this.#checkCleared(topic))
    );
  }

  /** S-M5, S-M6: at the end of the batch who entered is active, and who is fenced is in no ISR with others, and leads nothing. */
  #checkMembers({ at: partition, before, after, setsLeader }: PartitionStep): Violation | undefined {
    if (partition.state !== after || this.state.topics.get(partition.topic.topicId) === undefined) return undefined;
    const { state } = this;
    const entered = after.isr.filter((id) => before?.isr.includes(id) !== true);
    if (setsLeader && after.leader !== NO_NODE) entered.push(after.leader);
    const wrong = entered.find((id) => !state.isActive(id));
    if (wrong !== undefined) {
      return violation('S-M5', `broker ${wrong}, not active, entered ${nameOf(partition)} (${show(after)})`);
    }
    return firstViolation(after.isr, (id) => this.#checkMember(id, partition.state, nameOf(partition)));
  }

  #checkFenced(brokerId: NodeId): Violation | undefined {
    return firstViolation(this.state.isrOf(brokerId), (partition) =>
      this.#checkMember(brokerId, partition.state, nameOf(partition)),
    );
  }

  /** S-M6, C-5.4: below level 2 the last member stays, without leading. */
  #checkMember(brokerId: NodeId, state: PartitionFacts, where: string): Violation | undefined {
    // Who shuts down leaves step by step.
    if (this.state.brokers.get(brokerId)?.fenced === false) return undefined;
    const mayStay = this.state.level < ELR_LEVEL && state.isr.length === 1 && state.leader === NO_NODE;
    return mayStay ? undefined : violation('S-M6', `broker ${brokerId}, fenced, is in ${where} (${show(state)})`);
  }

  /** C-5.5: an ELR was computed with the old value. Where nobody leads, nothing is acknowledged until it is computed again. */
  #checkCleared(name: string | undefined): Violation | undefined {
    const { topics, topicIds } = this.state;
    const ids = name === undefined ? [...topics.keys()] : [topicIds.get(name) ?? ''];
    return firstViolation(ids, (id) => {
      const topic = topics.get(id);
      if (topic === undefined || (name === undefined && this.state.config(1, topic.name, MIN_ISR) !== undefined))
        return;
      const kept = topic.partitions.find(({ state }) => state.leader !== NO_NODE && state.elr.length > 0);
      if (kept === undefined) return;
      const what = `min.insync.replicas ${name === undefined ? 'of all' : `of ${name}`} changed`;
      return violation('S-M4', `${what}, and ${nameOf(kept)} keeps an ELR (${show(kept.state)})`);
    });
  }
}

function minIsr(value: string | undefined): number {
  return Number(value ?? DEFAULT_MIN_ISR);
}

function at({ property, detail }: Violation, offset: Offset): Violation {
  return violation(property, `${detail}, at offset ${offset} of the metadata log`);
}
