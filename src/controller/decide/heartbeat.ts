// What a heartbeat changes: the table of C-3.1.
import { must, unreachable } from '../../base/assert.ts';
import type { NodeId, Offset } from '../../base/ids.ts';
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../../gen/kvorum/v1/controller.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import { beginControlledShutdown, fence, unfence } from './broker-state.ts';
import type { Decision, Refusal } from './decision.ts';
import { refuse } from './decision.ts';
import { hasLeaderships } from './election.ts';

export type BrokerState = 'FENCED' | 'UNFENCED' | 'CONTROLLED_SHUTDOWN' | 'SHUTDOWN_NOW';

/** What decides the next state. */
export interface HeartbeatFacts {
  readonly wantFence: boolean;
  readonly wantShutdown: boolean;
  /** Its image shows its own registration (C-3.2). */
  readonly caughtUp: boolean;
  readonly leads: boolean;
  /** Every active broker's image shows that this one leads nothing any more. */
  readonly othersCaughtUp: boolean;
}

/** C-3.1. */
export function nextState(current: Exclude<BrokerState, 'SHUTDOWN_NOW'>, facts: HeartbeatFacts): BrokerState {
  switch (current) {
    case 'FENCED':
      if (facts.wantShutdown) return 'SHUTDOWN_NOW';
      return !facts.wantFence && facts.caughtUp ? 'UNFENCED' : 'FENCED';
    case 'UNFENCED':
      if (facts.wantFence) return facts.wantShutdown ? 'SHUTDOWN_NOW' : 'FENCED';
      if (!facts.wantShutdown) return 'UNFENCED';
      return facts.leads ? 'CONTROLLED_SHUTDOWN' : 'SHUTDOWN_NOW';
    case 'CONTROLLED_SHUTDOWN':
      return !facts.leads && facts.othersCaughtUp ? 'SHUTDOWN_NOW' : 'CONTROLLED_SHUTDOWN';
    default:
      return unreachable(current, 'broker state');
  }
}

/** What the active controller remembers beside the image. */
export interface HeartbeatContext {
  /** End of the batch that began this broker's controlled shutdown. */
  readonly shutdownEndOffset: Offset;
  /** The least end offset that an active broker reported, Infinity if there is none. */
  readonly lowestActiveEndOffset: Offset;
}

/** C-2.5: the registration that the request speaks for, or why it does not. */
export function checkBrokerEpoch(
  image: MetadataImage,
  { brokerId, brokerEpoch }: { readonly brokerId: NodeId; readonly brokerEpoch: Offset },
): BrokerRegistration | Refusal {
  const broker = image.brokers.get(brokerId);
  if (broker?.brokerEpoch === brokerEpoch) return broker;
  const known = broker === undefined ? 'no broker of that id' : `broker epoch ${broker.brokerEpoch}`;
  return refuse(
    'ABORTED',
    `STALE_BROKER_EPOCH: the request is from broker ${brokerId} with broker epoch ${brokerEpoch}; registered is ${known}`,
    'STALE_BROKER_EPOCH',
  );
}

/** The request's broker epoch must have been checked. */
export function decideHeartbeat(
  image: MetadataImage,
  request: BrokerHeartbeatRequest,
  context: HeartbeatContext,
): Decision<BrokerHeartbeatResponse> & { readonly next: BrokerState } {
  const broker = must(image.brokers.get(request.brokerId), 'the broker of a heartbeat');
  const current = broker.fenced ? 'FENCED' : broker.inControlledShutdown ? 'CONTROLLED_SHUTDOWN' : 'UNFENCED';
  const next = nextState(current, {
    wantFence: request.wantFence || broker.inControlledShutdown, // a shutdown is not taken back: register again
    wantShutdown: request.wantShutdown,
    caughtUp: request.metadataEndOffset > broker.brokerEpoch, // C-3.2
    leads: (request.wantShutdown || broker.inControlledShutdown) && hasLeaderships(image, broker.brokerId),
    othersCaughtUp: context.shutdownEndOffset <= context.lowestActiveEndOffset,
  });
  return {
    next,
    records: recordsFor(image, broker, current, next),
    respond: (after) => ({
      fenced: must(after.brokers.get(broker.brokerId), 'the broker of a heartbeat').fenced,
      shouldShutdown: next === 'SHUTDOWN_NOW',
    }),
  };
}

function recordsFor(
  image: MetadataImage,
  broker: BrokerRegistration,
  current: BrokerState,
  next: BrokerState,
): MetadataRecord[] {
  if (next === current) return [];
  switch (next) {
    case 'FENCED':
      return fence(image, broker, 'asked to be fenced');
    case 'UNFENCED':
      return unfence(image, broker);
    case 'CONTROLLED_SHUTDOWN':
      return beginControlledShutdown(image, broker);
    case 'SHUTDOWN_NOW':
      return broker.fenced ? [] : fence(image, broker, 'shut down');
    default:
      return unreachable(next, 'broker state');
  }
}
