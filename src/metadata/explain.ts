// Why a partition has this leader or none, replica by replica, and what would change it (ExplainPartition). Says what the rules of
// C-5 make of the image; what would change is found out from the controller's own decisions.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type {
  ExplainPartitionRequest,
  ExplainPartitionResponse,
  RecordReference,
  ReplicaExplanation,
} from '../gen/kvorum/v1/admin.ts';
import type { MetadataRecord, UncleanElectionRecord } from '../gen/kvorum/v1/metadata.ts';
import { describePartition } from './describe.ts';
import { itemError } from './errors.ts';
import { listText } from './fields.ts';
import type { MetadataImage, TopicImage } from './image.ts';
import { partitionOf, topicByName } from './image.ts';
import type { PartitionLoss } from './loss-entry.ts';
import { lossOriginText, lossText } from './loss-text.ts';
import { lossesOf } from './losses.ts';
import type { Outlook } from './outlook.ts';
import { whatWouldChange } from './outlook.ts';
import type { Subject } from './standing.ts';
import { availabilityClause, availabilityText, isAvailable, isEligible, membershipText } from './standing.ts';

/** A record as the log still has it. */
export interface LoggedRecord {
  readonly epoch: Epoch;
  /** When its batch was decided, -1 if not known. */
  readonly timestampMs: number;
  readonly record: MetadataRecord;
  /** The one before it in the same batch. */
  readonly previous: MetadataRecord | undefined;
}

/** What is known besides the image. */
export interface Evidence {
  /** Undefined where the log does not hold that offset (any more). */
  readonly recordAt: (offset: Offset) => LoggedRecord | undefined;
  /** What the controller would do with that partition. */
  readonly outlook: (subject: Subject) => Outlook;
}

export function explainPartition(
  image: MetadataImage,
  { topic: name, partition }: ExplainPartitionRequest,
  evidence: Evidence,
): ExplainPartitionResponse {
  const topic = topicByName(image, name);
  const state = topic && partitionOf(image, topic.topicId, partition);
  if (topic === undefined || state === undefined) return notFound(image, topic, name, partition);
  const subject = { image, topic, partition, state };
  const decision = decisionOf(subject, evidence.recordAt(state.leaderOffset));
  return {
    topicId: topic.topicId,
    error: undefined,
    state: describePartition(state, partition),
    verdict: verdictOn(subject, decision),
    decidedBy: decision.reference,
    replicas: state.replicas.map((id) => explainReplica(subject, id, evidence)),
    whatWouldChange: whatWouldChange(subject, evidence.outlook(subject)),
    metadataEndOffset: image.endOffset,
  };
}

function notFound(
  image: MetadataImage,
  topic: TopicImage | undefined,
  name: string,
  partition: number,
): ExplainPartitionResponse {
  const message =
    topic === undefined
      ? `there is no topic '${name}'`
      : `topic '${name}' has no partition ${partition}: they are numbered from 0 to ${topic.partitions.size - 1}`;
  return {
    topicId: topic?.topicId ?? '',
    error: itemError('UNKNOWN_TOPIC_OR_PARTITION', message),
    state: undefined,
    verdict: '',
    decidedBy: undefined,
    replicas: [],
    whatWouldChange: [],
    metadataEndOffset: image.endOffset,
  };
}

// ---- the record that set the leader ----

interface Decision {
  readonly reference: RecordReference;
  readonly unclean: UncleanElectionRecord | undefined;
}

/** A snapshot of an early version did not say which record set the leader: whatever stands there is not taken for it. */
function decisionOf({ topic, partition, state }: Subject, logged: LoggedRecord | undefined): Decision {
  const unknown = { offset: state.leaderOffset, epoch: -1, timestampMs: -1, cause: '' };
  if (logged === undefined) return { reference: unknown, unclean: undefined };
  const { epoch, timestampMs } = logged;
  const isIt = (of: { topicId: string; partition: number } | undefined): boolean =>
    of?.topicId === topic.topicId && of.partition === partition;
  const { kind } = logged.record;
  const before = logged.previous?.kind;
  const election =
    before?.$case === 'uncleanElection' && isIt(before.uncleanElection) ? before.uncleanElection : undefined;
  if (kind?.$case === 'partition' && isIt(kind.partition)) {
    return { reference: { ...unknown, epoch, timestampMs, cause: 'the partition was created' }, unclean: undefined };
  }
  if (kind?.$case === 'partitionChange' && isIt(kind.partitionChange)) {
    return { reference: { ...unknown, epoch, timestampMs, cause: kind.partitionChange.cause }, unclean: election };
  }
  return { reference: { ...unknown, offset: -1 }, unclean: undefined };
}

// ---- one replica ----

function explainReplica(subject: Subject, brokerId: NodeId, { recordAt }: Evidence): ReplicaExplanation {
  const { image, state } = subject;
  const broker = image.brokers.get(brokerId);
  const role = state.leader === brokerId ? ['leads'] : [];
  return {
    brokerId,
    inIsr: state.isr.includes(brokerId),
    inElr: state.elr.includes(brokerId),
    eligible: isEligible(subject, brokerId),
    reason: [...role, availabilityText(subject, brokerId), membershipText(subject, brokerId)].join('; '),
    brokerState: broker && { ...broker.state, epoch: recordAt(broker.state.offset)?.epoch ?? -1 },
  };
}

// ---- the verdict ----

function verdictOn(subject: Subject, { reference, unclean }: Decision): string {
  const { leader } = subject.state;
  const { offset, cause } = reference;
  const decided = offset < 0 ? '' : ` (decided at offset ${offset}${cause === '' ? '' : `: ${cause}`})`;
  const sentence = leader === NO_NODE ? verdictWithoutLeader(subject) : verdictWithLeader(subject, unclean);
  return `${sentence}${decided}${lossSentence(subject)}`;
}

/** What the ledger has of the present leader epoch, or waits for. */
function lossSentence({ image, topic, partition, state }: Subject): string {
  const entries = lossesOf(image, topic.topicId, partition);
  const isOfInterest = (loss: PartitionLoss): boolean =>
    loss.awaited.length > 0 || loss.newLeaderEpoch === state.leaderEpoch;
  const told = entries.filter(isOfInterest).map((loss) => `${lossOriginText(loss)}: ${lossText(loss)}`);
  return told.length === 0
    ? ''
    : `; loss ledger: ${told.join('; ')} (kvorum partition losses ${topic.name}-${partition})`;
}

function verdictWithLeader(subject: Subject, unclean: UncleanElectionRecord | undefined): string {
  const { leader, replicas, recovering } = subject.state;
  const [preferred = NO_NODE] = replicas;
  const leads = `broker ${leader} leads: `;
  if (replicas.length === 1 && (recovering || unclean !== undefined)) {
    return `${leads}it is the only replica, and came back after a crash: it has what its disk kept`;
  }
  if (recovering || unclean !== undefined) {
    const epoch = unclean === undefined ? '' : ` before leader epoch ${unclean.newLeaderEpoch}`;
    const had = [...(unclean?.oldIsr ?? []), ...(unclean?.oldElr ?? [])];
    const holders = had.length === 0 ? '' : `, which were with ${listText(had)}`;
    const ends = recovering ? '; it has not recovered yet' : '';
    const by = unclean === undefined || unclean.cause === '' ? '' : ` (${unclean.cause})`;
    return `${leads}it was elected uncleanly${by}, so that records acknowledged${epoch} may be lost${holders}${ends}`;
  }
  if (!isAvailable(subject, leader)) {
    return `broker ${leader} leads still, though it is ${availabilityClause(subject, leader)}; the controller is moving it out`;
  }
  if (leader === preferred) return `${leads}it is the preferred leader, active and in the ISR`;
  const why = isEligible(subject, preferred)
    ? 'could lead as well'
    : `cannot: ${availabilityText(subject, preferred)}; ${membershipText(subject, preferred)}`;
  return `${leads}it is active and in the ISR; broker ${preferred}, the preferred leader, ${why}`;
}

function verdictWithoutLeader(subject: Subject): string {
  const { replicas, isr, elr, lastKnownLeader } = subject.state;
  const eligible = replicas.filter((id) => isEligible(subject, id));
  if (eligible.length > 0) {
    return `nobody leads yet: broker ${eligible.join(' or ')} may, and is elected when the controller looks at the partition next`;
  }
  const because = (ids: readonly NodeId[]): string =>
    ids.map((id) => `broker ${id} is ${availabilityClause(subject, id)}`).join(', ');
  if (isr.length > 0) return `nobody leads: of the ISR ${listText(isr)}, ${because(isr)}`;
  if (elr.length > 0) return `nobody leads: the ISR is empty, and of the ELR ${listText(elr)}, ${because(elr)}`;
  const last = lastKnownLeader === NO_NODE ? '' : `; broker ${lastKnownLeader} led last`;
  return `nobody leads: ISR and ELR are empty, so no replica is known to have every acknowledged record${last}`;
}
