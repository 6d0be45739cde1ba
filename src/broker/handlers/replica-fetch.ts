// Fetch by the brokers of this cluster, in sessions: every fetch says how far the follower is (D-2.4), and is answered with what its
// partitions have that is new to it. Who is not registered as the broker that it says it is gets nothing (KIP-903).
import type { Uuid } from '../../base/uuid.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { FetchPartitionDataInput, FetchRequest, fetchApi } from '../../protocol/apis/fetch.ts';
import type { ErrorName } from '../../protocol/error-codes.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { followerFetched, readForFollower } from '../../replica/follower-fetch.ts';
import type { PartitionRead } from '../../replica/read.ts';
import { unreadable } from '../../replica/read.ts';
import type { BrokerContext, Call } from '../context.ts';
import type { FollowerSession, SessionPartition } from '../fetch-sessions.ts';

type Response = ResponseInput<typeof fetchApi>;

/** What one round over a session's partitions found. */
interface Round {
  readonly told: { readonly entry: SessionPartition; readonly read: PartitionRead }[];
  bytes: number;
  /** Must not wait (behaviour 29). */
  isUrgent: boolean;
}

/** A follower asks again; one that is gone must not keep a wait for ever. */
const MAX_WAIT_MS = 60_000;

export async function replicaFetch(context: BrokerContext, request: FetchRequest, call: Call): Promise<Response> {
  const refusal = refusalOf(context, request);
  if (refusal !== undefined) {
    const { replicaId } = request.replicaState;
    const fields = { peer: call.peer, replicaId, ...refusal };
    context.refusedPeers.tell(context.logger, 'replica-fetch-refused', `${replicaId}`, fields);
    return failure(refusal.error);
  }
  const session = sessionOf(context, request);
  if (typeof session === 'string') return failure(session);
  session.apply(request);
  const deadline = context.clock.now() + Math.min(request.maxWaitMs, MAX_WAIT_MS);
  let isHurried = false;
  let finishWait: () => void = () => {};
  call.hurry = () => {
    isHurried = true;
    finishWait();
  };
  for (;;) {
    const round = await look(context, request, session);
    if (session.isOver) return failure('FETCH_SESSION_ID_NOT_FOUND');
    const waitMs = deadline - context.clock.now();
    const isDue = session.isDue && round.told.length > 0;
    if (isHurried || isDue || round.isUrgent || round.bytes >= request.minBytes || waitMs <= 0 || session.size === 0) {
      return respond(session, round);
    }
    for (const { read } of round.told) context.buffers.takeBack(read.records);
    const { promise, finish } = session.wait();
    finishWait = finish;
    const timer = context.clock.schedule(waitMs, finish);
    await promise;
    timer.cancel();
  }
}

function failure(error: ErrorName): Response {
  return { errorCode: ErrorCode[error], sessionId: 0, responses: [] };
}

/** Why the peer may not fetch as the replica that it says it is. */
function refusalOf(
  { metadata, clusterId, config }: BrokerContext,
  request: FetchRequest,
): { readonly error: ErrorName; readonly reason: string } | undefined {
  const { replicaId, replicaEpoch } = request.replicaState;
  const registered = metadata.image.brokers.get(replicaId)?.brokerEpoch;
  if (request.clusterId !== null && request.clusterId !== clusterId) {
    return { error: 'INCONSISTENT_CLUSTER_ID', reason: `its cluster is ${request.clusterId}, not ${clusterId}` };
  }
  if (replicaId === config.nodeId || replicaId < 0) {
    return { error: 'INVALID_REQUEST', reason: 'a replica is another broker, and names its broker epoch (Fetch 15)' };
  }
  if (registered === undefined) return { error: 'INVALID_REQUEST', reason: 'no broker with that id is registered' };
  if (replicaEpoch < registered) {
    return { error: 'STALE_BROKER_EPOCH', reason: `its broker epoch is ${replicaEpoch}, ${registered} is newer` };
  }
  if (replicaEpoch === registered) return undefined;
  // Metadata that this broker has not seen yet, or a broker epoch that nobody was given.
  return { error: 'BROKER_NOT_AVAILABLE', reason: `broker epoch ${replicaEpoch} is not known yet, ${registered} is` };
}

function sessionOf({ fetchSessions }: BrokerContext, request: FetchRequest): FollowerSession | ErrorName {
  const { sessionId, sessionEpoch, replicaState } = request;
  const { replicaId, replicaEpoch } = replicaState;
  if (sessionEpoch === 0) return fetchSessions.begin({ brokerId: replicaId, brokerEpoch: replicaEpoch });
  const session = fetchSessions.find(replicaId, sessionId);
  if (session === undefined) return 'FETCH_SESSION_ID_NOT_FOUND';
  return session.takeEpoch(sessionEpoch) ? session : 'INVALID_FETCH_SESSION_EPOCH';
}

/** Looks at what is dirty, as far as the limits allow. */
async function look(context: BrokerContext, request: FetchRequest, session: FollowerSession): Promise<Round> {
  const round: Round = { told: [], bytes: 0, isUrgent: false };
  const dirty = session.dirty();
  // How far the follower is counts at once, whatever there is to send (D-2.4).
  for (const entry of dirty) if (entry.isNew) takeFetch(session, entry);
  for (const entry of dirty) {
    if (entry.place === undefined || isHeldBack(context, session, entry)) continue;
    const left = request.maxBytes - round.bytes;
    const isFull = left <= 0 && round.bytes > 0;
    if (isFull) break;
    const read = await readOne(context, session, entry, left, round.bytes === 0);
    if (session.isOver) return round;
    round.bytes += read.records.length;
    if (isThrottled(context, session, entry)) context.replicas.throttles.leader.record(read.records.length);
    note(session, entry, read, round);
  }
  return round;
}

/** KIP-73: a follower out of sync gets so many bytes per second of the partitions that their topics name. */
function isThrottled({ replicas }: BrokerContext, { replica }: FollowerSession, { place }: SessionPartition): boolean {
  if (typeof place === 'string' || place === undefined) return false;
  const { config, partition, leader } = place;
  const list = config.leaderReplicationThrottledReplicas;
  return replicas.throttles.names(list, partition) && leader?.state.isr.includes(replica.brokerId) === false;
}

/** There are records for it, and more may not be sent yet. */
function isHeldBack(context: BrokerContext, session: FollowerSession, entry: SessionPartition): boolean {
  const { place, refused } = entry;
  const { pauseMs } = context.replicas.throttles.leader;
  if (pauseMs === 0 || refused !== undefined || typeof place === 'string' || place === undefined) return false;
  if (place.log.logEndOffset <= entry.asked.fetchOffset || !isThrottled(context, session, entry)) return false;
  session.lookIn(pauseMs);
  return true;
}

function takeFetch(session: FollowerSession, entry: SessionPartition): void {
  const { place } = entry;
  if (place === undefined) return;
  entry.isNew = false;
  if (typeof place !== 'string') entry.refused = followerFetched(place, session.replica, entry.asked);
}

async function readOne(
  context: BrokerContext,
  session: FollowerSession,
  entry: SessionPartition,
  left: number,
  atLeastOne: boolean,
): Promise<PartitionRead> {
  const { place, refused, asked } = entry;
  if (typeof place === 'string' || place === undefined) return unreadable(place ?? 'NOT_LEADER_OR_FOLLOWER');
  if (refused !== undefined) return refused;
  return readForFollower(place, session.replica, {
    ...asked,
    maxBytes: Math.max(0, Math.min(left, asked.partitionMaxBytes)),
    atLeastOne,
    allocate: (size) => context.buffers.lend(size),
  });
}

/** Keeps what is worth telling. */
function note(session: FollowerSession, entry: SessionPartition, read: PartitionRead, round: Round): void {
  const isRefusal = read.error !== 'NONE' || read.diverging !== undefined;
  const isFirst = entry.highWatermark < 0;
  const isNews = read.highWatermark !== entry.highWatermark || read.logStartOffset !== entry.logStartOffset;
  if (isRefusal || read.records.length > 0 || isNews) round.told.push({ entry, read });
  else if (hasAll(entry)) session.settle(entry);
  round.isUrgent ||= isRefusal || isFirst;
}

/** It was told all there is now, of records as far as it asks. What moved while others were read is told with the next answer. */
function hasAll({ place, asked, highWatermark, logStartOffset }: SessionPartition): boolean {
  if (place === undefined || typeof place === 'string') return true;
  const { log } = place;
  const isTold = place.highWatermark === highWatermark && log.logStartOffset === logStartOffset;
  return isTold && place.leader !== undefined && log.logEndOffset === asked.fetchOffset;
}

function respond(session: FollowerSession, { told }: Round): Response {
  session.answered();
  const topics = new Map<Uuid, FetchPartitionDataInput[]>();
  for (const { entry, read } of told) {
    const { topicId, partition } = entry;
    const { records, highWatermark, logStartOffset } = read;
    const answer = {
      partitionIndex: partition,
      errorCode: ErrorCode[read.error],
      highWatermark,
      lastStableOffset: highWatermark,
      logStartOffset,
      divergingEpoch: read.diverging,
      abortedTransactions: null,
      records,
    };
    const partitions = topics.get(topicId);
    if (partitions === undefined) topics.set(topicId, [answer]);
    else partitions.push(answer);
    entry.highWatermark = highWatermark;
    entry.logStartOffset = logStartOffset;
    if (records.length > 0 || read.error !== 'NONE' || read.diverging !== undefined) session.serve(entry);
    // One whose records did not fit is looked at again.
    else if (hasAll(entry)) session.settle(entry);
  }
  const responses = [...topics].map(([topicId, partitions]) => ({ topicId, partitions }));
  return { errorCode: ErrorCode.NONE, sessionId: session.id, responses };
}
