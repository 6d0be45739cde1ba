// Which part of the driver carries out which effect of the core. Nothing is decided here; the order is that of the core.
import { unreachable } from '../base/assert.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { RaftEffect, RaftEvent, Voter } from '../raft/types.ts';
import type { ApplyQueue } from './apply-queue.ts';
import type { CommittedLog } from './committed-log.ts';
import type { DurableLog } from './durable-log.ts';
import type { InboundCalls } from './inbound-calls.ts';
import type { Peers } from './peers.ts';
import type { RaftTimers } from './raft-timers.ts';
import type { Snapshots } from './snapshots.ts';
import type { Uncommitted } from './uncommitted.ts';
import type { VoterChanges } from './voter-changes.ts';

export interface EffectParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly log: DurableLog;
  readonly timers: RaftTimers;
  readonly peers: Peers;
  readonly inbound: InboundCalls;
  readonly snapshots: Snapshots;
  readonly apply: ApplyQueue;
  readonly committed: CommittedLog;
  readonly uncommitted: Uncommitted;
  readonly voterChanges: VoterChanges;
  readonly isRunning: () => boolean;
  readonly feed: (event: RaftEvent) => void;
  readonly votersChanged: (voters: readonly Voter[]) => void;
  readonly failed: (reason: string) => void;
}

type EffectOf<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>;

export function carryOut(parts: EffectParts, effect: RaftEffect): void {
  const { log, inbound, snapshots, timers } = parts;
  switch (effect.type) {
    case 'catalogue':
      snapshots.list(effect.snapshots);
      return log.carryOut(effect);
    case 'writeQuorumState':
    case 'append':
    case 'truncate':
      return log.carryOut(effect);
    case 'call':
      return log.after(effect.after, () => void call(parts, effect));
    case 'reply':
      return log.after(effect.after, () => inbound.answer(effect.call, effect.message));
    case 'serveSnapshot':
      return log.after(effect.after, () => void servePiece(parts, effect));
    case 'receiveSnapshot':
      return snapshots.receiver.piece(effect.id, effect.position, effect.bytes);
    case 'finishSnapshot':
      return snapshots.receiver.finish(effect.id, effect.sizeBytes);
    case 'setTimer':
      return timers.set(effect);
    case 'cancelTimer':
      return timers.cancel(effect.id);
    case 'proposed':
    case 'refused':
      return; // read by append, synchronously
    case 'fatal':
      return parts.failed(effect.reason);
    default:
      return announce(parts, effect);
  }
}

/** What the state machine, an operator or a waiting caller should know. */
function announce(
  parts: EffectParts,
  effect: EffectOf<'loadSnapshot' | 'commit' | 'claim' | 'renounce' | 'role' | 'voters' | 'voterChange' | 'notice'>,
): void {
  const { apply, uncommitted, voterChanges, logger } = parts;
  switch (effect.type) {
    case 'loadSnapshot':
      parts.snapshots.taker.loads();
      return apply.load(effect.snapshot);
    case 'commit':
      uncommitted.committed(effect.highWatermark);
      apply.commit(effect.batches);
      parts.committed.committed();
      return voterChanges.committed(effect.highWatermark);
    case 'claim':
      uncommitted.clear();
      return apply.claim(effect.epoch);
    case 'renounce':
      uncommitted.clear();
      return apply.renounce(effect.epoch);
    case 'role':
      logger.info('quorum-role', { role: effect.role, epoch: effect.epoch, leaderId: effect.leaderId });
      if (effect.role !== 'leader') voterChanges.abandon();
      // before any call to it.
      if (effect.leaderEndpoint !== undefined) {
        parts.peers.follow([{ id: effect.leaderId, endpoint: effect.leaderEndpoint }]);
      }
      return apply.tell((machine) => machine.leaderChanged(effect.leaderId, effect.epoch));
    case 'voters':
      parts.peers.follow(effect.voters);
      return parts.votersChanged(effect.voters);
    case 'voterChange':
      return voterChanges.answered(effect);
    case 'notice':
      return logger[effect.level](effect.event, { ...effect.fields });
    default:
      unreachable(effect, 'raft effect');
  }
}

async function call({ clock, peers, isRunning, feed }: EffectParts, effect: EffectOf<'call'>): Promise<void> {
  // It waited for the disk while the node failed.
  if (!isRunning()) return;
  const result = await peers.call(effect.to, effect.message, effect.timeoutMs);
  const now = clock.now();
  if ('failure' in result) feed({ type: 'callFailed', now, call: effect.call, failure: result.failure });
  else feed({ type: 'response', now, call: effect.call, message: result });
}

async function servePiece({ snapshots, inbound }: EffectParts, effect: EffectOf<'serveSnapshot'>): Promise<void> {
  try {
    inbound.answer(effect.call, await snapshots.serve(effect));
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    inbound.fail(effect.call, error);
  }
}
