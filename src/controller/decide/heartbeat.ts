// What a heartbeat changes: the table of C-3.1.
import { must, unreachable } from '../../base/assert.ts';
import type { NodeId, Offset } from '../../base/ids.ts';
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../../gen/kvorum/v1/controller.ts';
import type { BrokerRegistration, MetadataImage } from '../../metadata/image.ts';
import type { Step } from './broker-state.ts';
import { beginControlledShutdown, continueControlledShutdown, fence, unfence } from './broker-state.ts';
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
  /** It leads a partition; or, once it shuts down, there is anything left to take from it. */
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
  /** End of the last batch that moved something for this broker's controlled shutdown. */
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

/** `isComplete` false, of a fencing: it takes several batches, of which these records are the first. */
export interface HeartbeatDecision extends Decision<BrokerHeartbeatResponse> {
  readonly next: BrokerState;
  readonly isComplete: boolean;
  /** Why it is fenced by this; undefined: it is not. */
  readonly fencedFor: string | undefined;
}

/** The request's broker epoch must have been checked. */
export function decideHeartbeat(
  image: MetadataImage,
  request: BrokerHeartbeatRequest,
  context: HeartbeatContext,
): HeartbeatDecision {
  const broker = must(image.brokers.get(request.brokerId), 'the broker of a heartbeat');
  const current = broker.fenced ? 'FENCED' : broker.inControlledShutdown ? 'CONTROLLED_SHUTDOWN' : 'UNFENCED';
  const rest = current === 'CONTROLLED_SHUTDOWN' ? continueControlledShutdown(image, broker) : NOTHING;
  const leads = current === 'UNFENCED' && request.wantShutdown && hasLeaderships(image, broker.brokerId);
  const next = nextState(current, {
    // A shutdown is not taken back: register again. Without a log dir it can hold nothing.
    wantFence: request.wantFence || broker.inControlledShutdown || broker.logDirs.length === 0,
    wantShutdown: request.wantShutdown,
    caughtUp: request.metadataEndOffset > broker.brokerEpoch, // C-3.2
    leads: leads || rest.records.length > 0 || !rest.isComplete,
    othersCaughtUp: context.shutdownEndOffset <= context.lowestActiveEndOffset,
  });
  const fencedFor = next === current || broker.fenced ? undefined : FENCED_FOR[next];
  const { records, isComplete } =
    fencedFor === undefined ? others(image, broker, next, rest) : fence(image, broker, fencedFor);
  return {
    next,
    records,
    isComplete,
    fencedFor,
    respond: (after) => ({
      fenced: must(after.brokers.get(broker.brokerId), 'the broker of a heartbeat').fenced,
      shouldShutdown: next === 'SHUTDOWN_NOW',
    }),
  };
}

const NOTHING: Step = { records: [], isComplete: true };

/** Why a broker is fenced that has said goodbye. */
export const SHUT_DOWN = 'shut down';

const FENCED_FOR: Partial<Record<BrokerState, string>> = { FENCED: 'asked to be fenced', SHUTDOWN_NOW: SHUT_DOWN };

/** Of what is no fencing. */
function others(image: MetadataImage, broker: BrokerRegistration, next: BrokerState, rest: Step): Step {
  if (next === 'UNFENCED' && broker.fenced) return { records: unfence(image, broker), isComplete: true };
  if (next !== 'CONTROLLED_SHUTDOWN') return NOTHING;
  if (broker.inControlledShutdown) return { records: rest.records, isComplete: true };
  return { records: beginControlledShutdown(image, broker), isComplete: true };
}
