// Fetch: reads every partition that is asked for, waits for more while there is too little, and answers whole batches.
// Sessions are kept for brokers alone (replica-fetch.ts): every other answer says session id 0 and holds every partition (behaviour 36).
import type { Uuid } from '../../base/uuid.ts';
import { partitionOf, topicByName } from '../../metadata/image.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { FetchPartitionDataInput, FetchRequest, fetchApi } from '../../protocol/apis/fetch.ts';
import type { ErrorName } from '../../protocol/error-codes.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Partition } from '../../replica/partition.ts';
import type { PartitionRead } from '../../replica/read.ts';
import { readPartition, unreadable } from '../../replica/read.ts';
import type { BrokerAddress } from '../brokers.ts';
import { leaderHint } from '../brokers.ts';
import type { BrokerContext, Call } from '../context.ts';
import { replicaFetch } from './replica-fetch.ts';

type Response = ResponseInput<typeof fetchApi>;
type Wanted = FetchRequest['topics'][number]['partitions'][number];

interface Target {
  /** Of the request, to answer in the same words. */
  readonly topic: string;
  readonly topicId: Uuid;
  readonly wanted: Wanted;
  /** What the image calls it. */
  readonly known: Uuid | undefined;
  readonly place: Partition | ErrorName;
}

const UNKNOWN_SESSION = -1;

/** From these versions on clients are told who leads and where that is (KIP-951). */
const FIRST_WITH_CURRENT_LEADER = 12;
const FIRST_WITH_ENDPOINTS = 16;

/** A client that is gone must not keep a wait for ever; one that is there asks again. */
const MAX_WAIT_MS = 60_000;

export async function fetch(context: BrokerContext, request: FetchRequest, call: Call): Promise<Response> {
  if (request.replicaId >= 0 || request.replicaState.replicaId >= 0) return replicaFetch(context, request, call);
  if (request.sessionId !== 0 && request.sessionEpoch !== UNKNOWN_SESSION) {
    return { errorCode: ErrorCode.FETCH_SESSION_ID_NOT_FOUND, sessionId: 0, responses: [] };
  }
  const targets = await locate(context, request, call);
  const deadline = context.clock.now() + Math.min(request.maxWaitMs, MAX_WAIT_MS);
  for (;;) {
    const move = nextMove(context, targets, deadline);
    try {
      const reads = await readAll(context, request, targets);
      if (isEnough(request, reads) || context.clock.now() >= deadline)
        return respond(context, request, call, targets, reads);
      for (const { records } of reads) context.buffers.takeBack(records);
      await move.promise;
    } finally {
      move.cancel();
    }
  }
}

/** Behaviour 29. */
function isEnough(request: FetchRequest, reads: readonly PartitionRead[]): boolean {
  const bytes = reads.reduce((sum, read) => sum + read.records.length, 0);
  return (
    bytes >= request.minBytes ||
    reads.length === 0 ||
    reads.some((read) => read.error !== 'NONE' || read.diverging !== undefined)
  );
}

async function locate(context: BrokerContext, request: FetchRequest, call: Call): Promise<Target[]> {
  const { image } = context.metadata;
  const targets: Target[] = [];
  for (const { topic, topicId, partitions } of request.topics) {
    const byId = call.apiVersion >= 13;
    const known = byId ? image.topics.get(topicId)?.topicId : topicByName(image, topic)?.topicId;
    const missing = byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'; // behaviour 38
    for (const wanted of partitions) {
      const place =
        known === undefined
          ? missing
          : partitionOf(image, known, wanted.partition) === undefined
            ? 'UNKNOWN_TOPIC_OR_PARTITION'
            : (context.replicas.findNow(known, wanted.partition) ??
              (await context.replicas.find(known, wanted.partition)));
      targets.push({ topic, topicId, wanted, known, place });
    }
  }
  return targets;
}

/** Reads in the order of the request; the first partition with data gives at least one batch (behaviour 30). */
async function readAll(
  context: BrokerContext,
  request: FetchRequest,
  targets: readonly Target[],
): Promise<PartitionRead[]> {
  const reads: PartitionRead[] = [];
  let left = Math.min(request.maxBytes, context.config.values['fetch.max.bytes']);
  let any = false;
  for (const { place, wanted } of targets) {
    if (typeof place === 'string') {
      reads.push(unreadable(place));
      continue;
    }
    const read = await readPartition(place, {
      fetchOffset: wanted.fetchOffset,
      currentLeaderEpoch: wanted.currentLeaderEpoch,
      lastFetchedEpoch: wanted.lastFetchedEpoch,
      maxBytes: Math.max(0, Math.min(left, wanted.partitionMaxBytes)),
      atLeastOne: !any,
      allocate: (size) => context.buffers.lend(size),
    });
    any ||= read.records.length > 0;
    left -= read.records.length;
    reads.push(read);
  }
  return reads;
}

/** Resolves at the deadline, or when a partition's high watermark or leadership moves after this call. */
function nextMove(
  context: BrokerContext,
  targets: readonly Target[],
  deadline: number,
): { promise: Promise<void>; cancel(): void } {
  let settle: () => void = () => {};
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const stops = targets.flatMap(({ place }) => (typeof place === 'string' ? [] : [place.watch(() => finish())]));
  const timer = context.clock.schedule(Math.max(0, deadline - context.clock.now()), () => finish());
  function finish(): void {
    for (const stop of stops) stop();
    timer.cancel();
    settle();
  }
  return { promise, cancel: finish };
}

function respond(
  context: BrokerContext,
  request: FetchRequest,
  call: Call,
  targets: readonly Target[],
  reads: readonly PartitionRead[],
): Response {
  const { image } = context.metadata;
  const endpoints = new Map<number, BrokerAddress>();
  let next = 0;
  const responses = request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }): FetchPartitionDataInput => {
      const { known } = targets[next] as Target;
      const read = reads[next++] as PartitionRead;
      const state = known === undefined ? undefined : partitionOf(image, known, partition);
      const moved = read.error === 'NOT_LEADER_OR_FOLLOWER' || read.error === 'FENCED_LEADER_EPOCH';
      const tell = moved && call.apiVersion >= FIRST_WITH_CURRENT_LEADER;
      const hint = tell ? leaderHint(image, state, call.listener) : undefined;
      if (hint !== undefined && call.apiVersion >= FIRST_WITH_ENDPOINTS) {
        endpoints.set(hint.endpoint.nodeId, hint.endpoint);
      }
      return {
        partitionIndex: partition,
        errorCode: ErrorCode[read.error],
        highWatermark: read.highWatermark,
        lastStableOffset: read.highWatermark,
        logStartOffset: read.logStartOffset,
        divergingEpoch: read.diverging,
        currentLeader: hint?.currentLeader,
        abortedTransactions: request.isolationLevel === 1 ? [] : null,
        records: read.records,
      };
    }),
  }));
  return { errorCode: ErrorCode.NONE, sessionId: 0, responses, nodeEndpoints: [...endpoints.values()] };
}
