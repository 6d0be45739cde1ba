// Produce: appends are made in the order of the request, before the handler first waits; then it waits for what `acks` asks (D-7).
import type { Uuid } from '../../base/uuid.ts';
import { partitionOf, topicByName } from '../../metadata/image.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { ProducePartitionResponseInput, ProduceRequest, produceApi } from '../../protocol/apis/produce.ts';
import type { ErrorName } from '../../protocol/error-codes.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../../record/batch.ts';
import type { Appended, AppendRefused } from '../../replica/append.ts';
import { appendToPartition } from '../../replica/append.ts';
import { appendInTurn } from '../../replica/append-turns.ts';
import type { AckFailure, Partition } from '../../replica/partition.ts';
import type { BrokerAddress } from '../brokers.ts';
import { leaderHint } from '../brokers.ts';
import type { BrokerContext, Call } from '../context.ts';
import { within } from '../within.ts';

type Response = ResponseInput<typeof produceApi>;

interface Target {
  readonly topic: string;
  readonly index: number;
  readonly topicId: Uuid | undefined;
  readonly records: Buffer | null;
}

interface Outcome {
  readonly target: Target;
  readonly result: Appended | AppendRefused;
}

function refused(error: ErrorName, message: string): AppendRefused {
  return { kind: 'refused', error, message };
}

/** From this version on clients are told where a leader is (KIP-951). */
const FIRST_WITH_LEADER_HINTS = 10;

/**
 * A partition that is served now gets its batch before this returns; one that is being opened, or whose log is cold, holds up
 * nothing but itself. So each partition gets the batches of pipelined requests in the order of the requests.
 */
export function produce(
  context: BrokerContext,
  request: ProduceRequest,
  call: Call,
): Response | undefined | Promise<Response | undefined> {
  const image = context.metadata.image;
  const targets = request.topicData.flatMap((topic) => {
    const topicId = topicByName(image, topic.name)?.topicId;
    return topic.partitionData.map(({ index, records }): Target => ({ topic: topic.name, index, topicId, records }));
  });
  const outcomes = targets.map((target): Outcome | Promise<Outcome> => {
    const place = placeNow(context, target);
    if (place !== undefined) return appendTo(request, call, target, place);
    return context.replicas
      .find(target.topicId as Uuid, target.index)
      .then((found) => appendTo(request, call, target, found));
  });
  const made = outcomes.filter((outcome): outcome is Outcome => !(outcome instanceof Promise));
  if (made.length === outcomes.length) return conclude(context, request, call, made);
  return Promise.all(outcomes.map((outcome) => Promise.resolve(outcome))).then((all) =>
    conclude(context, request, call, all),
  );
}

function appendTo(
  request: ProduceRequest,
  call: Call,
  target: Target,
  place: Partition | ErrorName,
): Outcome | Promise<Outcome> {
  const append = (): Outcome => ({ target, result: appendOne(request, call, target, place) });
  return typeof place === 'string' ? append() : appendInTurn(place, append);
}

/** Undefined: its log is being opened. */
function placeNow(context: BrokerContext, { topicId, index }: Target): Partition | ErrorName | undefined {
  if (topicId === undefined || partitionOf(context.metadata.image, topicId, index) === undefined) {
    return 'UNKNOWN_TOPIC_OR_PARTITION';
  }
  return context.replicas.findNow(topicId, index);
}

/** Everything is appended or refused: answers once it is acknowledged as asked, or the time of the request has passed. */
function conclude(
  context: BrokerContext,
  request: ProduceRequest,
  call: Call,
  outcomes: readonly Outcome[],
): Response | undefined | Promise<Response | undefined> {
  if (request.acks === 0) {
    // Behaviour 2: no answer; an error closes the connection, so that the client looks for metadata.
    const failure = outcomes.find(({ result }) => result.kind === 'refused')?.result as AppendRefused | undefined;
    if (failure === undefined) return undefined;
    throw new ProtocolError(`produce with acks=0 failed: ${failure.error} ${failure.message}`);
  }
  const failures: (AckFailure | 'timeout' | undefined)[] = outcomes.map(() => undefined);
  const waits = outcomes.flatMap(({ result }, i) => {
    if (result.kind === 'refused' || result.acknowledged === undefined) return [];
    failures[i] = 'timeout';
    return result.acknowledged.then((failure) => {
      failures[i] = failure;
    });
  });
  if (waits.length === 0) return respond(context, call, outcomes, failures);
  const all = Promise.all(waits);
  return within(context.clock, request.timeoutMs, all).then(() => respond(context, call, outcomes, failures));
}

function appendOne(
  request: ProduceRequest,
  call: Call,
  target: Target,
  found: Partition | ErrorName,
): Appended | AppendRefused {
  const { acks } = request;
  if (acks !== 0 && acks !== 1 && acks !== -1)
    return refused('INVALID_REQUIRED_ACKS', `acks is ${acks}, not -1, 0 or 1`);
  if (request.transactionalId !== null) {
    return refused('INVALID_TXN_STATE', 'this version has no transactions: produce without a transactional id');
  }
  if (typeof found === 'string') return refused(found, 'the partition is not served here');
  if (target.records === null) return refused('INVALID_RECORD', 'no record batch for the partition');
  if (call.apiVersion < 7 && isZstd(target.records)) {
    return refused('UNSUPPORTED_COMPRESSION_TYPE', 'zstd needs Produce version 7');
  }
  return appendToPartition(found, target.records, acks);
}

function isZstd(records: Buffer): boolean {
  return records.length >= BATCH_HEADER_BYTES && new BatchHeader(records).compression === 'zstd';
}

/** `failures` per outcome; 'timeout': the time of the request passed before it was acknowledged. */
function respond(
  context: BrokerContext,
  call: Call,
  outcomes: readonly Outcome[],
  failures: readonly (AckFailure | 'timeout' | undefined)[],
): Response {
  const responses: { name: string; partitionResponses: ProducePartitionResponseInput[] }[] = [];
  const endpoints = new Map<number, BrokerAddress>();
  for (const [i, { target, result }] of outcomes.entries()) {
    if (responses.at(-1)?.name !== target.topic) responses.push({ name: target.topic, partitionResponses: [] });
    const answer = partitionResponse(target.index, result, failures[i]);
    const hint =
      call.apiVersion >= FIRST_WITH_LEADER_HINTS &&
      answer.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER &&
      target.topicId !== undefined
        ? leaderHint(
            context.metadata.image,
            partitionOf(context.metadata.image, target.topicId, target.index),
            call.listener,
          )
        : undefined;
    if (hint !== undefined) endpoints.set(hint.endpoint.nodeId, hint.endpoint);
    responses
      .at(-1)
      ?.partitionResponses.push(hint === undefined ? answer : { ...answer, currentLeader: hint.currentLeader });
  }
  return { responses, nodeEndpoints: [...endpoints.values()] };
}

function partitionResponse(
  index: number,
  result: Appended | AppendRefused,
  failure: AckFailure | 'timeout' | undefined,
): ProducePartitionResponseInput {
  if (result.kind === 'refused') {
    return {
      index,
      errorCode: ErrorCode[result.error],
      baseOffset: -1,
      recordErrors: (result.records ?? []).map(({ index: batchIndex, message }) => ({
        batchIndex,
        batchIndexErrorMessage: message,
      })),
      errorMessage: result.message,
    };
  }
  if (failure !== undefined) {
    const error = failure === 'timeout' ? 'REQUEST_TIMED_OUT' : failure;
    return { index, errorCode: ErrorCode[error], baseOffset: -1, errorMessage: 'appended, but not acknowledged' };
  }
  return {
    index,
    errorCode: ErrorCode.NONE,
    baseOffset: result.baseOffset,
    logAppendTimeMs: result.logAppendTimeMs,
    logStartOffset: result.logStartOffset,
  };
}
