// The parts of one replica, put together around its core: who feeds whom. The loop and the state machine they all turn around are the
// core's; what each part keeps is said in its own file.
import type { NodeId } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import type { Address } from '../env/network.ts';
import { votersAsOf } from '../raft/state.ts';
import type { RaftConfig, RaftEvent } from '../raft/types.ts';
import { ApplyQueue } from './apply-queue.ts';
import { CommittedLog } from './committed-log.ts';
import { CoreLoop } from './core-loop.ts';
import { DurableLog } from './durable-log.ts';
import type { EffectParts } from './effects.ts';
import { carryOut } from './effects.ts';
import { InboundCalls } from './inbound-calls.ts';
import type { OpenedReplica } from './opened-replica.ts';
import { voterIdsOf, writeFailure } from './opened-replica.ts';
import type { QuorumOptions } from './options.ts';
import { endpointOf, Peers } from './peers.ts';
import { RaftTimers } from './raft-timers.ts';
import { Snapshots } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import { Uncommitted } from './uncommitted.ts';
import { VoterChanges } from './voter-changes.ts';

export interface Parts extends EffectParts {
  readonly loop: CoreLoop;
}

export interface PartsHooks {
  /** The one that the quorum was started with. */
  readonly machine: () => StateMachine;
  readonly isRunning: () => boolean;
  readonly fail: (reason: string, cause?: unknown) => void;
}

export function composeParts(
  env: Env,
  options: QuorumOptions,
  opened: OpenedReplica,
  addresses: ReadonlyMap<NodeId, Address>,
  hooks: PartsHooks,
): Parts {
  const { clock, network } = env;
  const { machine, isRunning, fail } = hooks;
  const logger = env.logger.child({ component: 'quorum' });
  const feed = (event: RaftEvent): void => loop.dispatch(event);
  const loop = new CoreLoop(coreConfig(options, opened, addresses), env.random, options.trace, {
    carryOut: (effect) => carryOut(parts, effect),
    failed: (error) => fail('the consensus core failed: this is a bug of Kvorum', error),
  });
  const log = new DurableLog(opened.storage, opened.note, opened.durable.quorumState, {
    done: (op) => feed({ type: 'diskDone', now: clock.now(), op }),
    failed: (error) => fail(writeFailure(options.directory, error), error),
    listed: (listed) => void snapshots.listed(listed),
  });
  const snapshots = new Snapshots({
    env,
    logger,
    clusterId: options.raft.clusterId,
    folder: opened.folder,
    policy: options.snapshots,
    records: () => machine().snapshot(),
    votersAsOf: (endOffset) => votersAsOf(loop.raft, endOffset),
    feed,
    failed: fail,
  });
  const apply = new ApplyQueue({
    machine,
    clock,
    read: (id) => snapshots.read(id),
    applied: (endOffset, epoch, volume) => {
      snapshots.taker.applied(endOffset, epoch, volume);
      feed({ type: 'applied', now: clock.now(), endOffset });
    },
    loaded: ({ id }) => snapshots.taker.loaded(id),
    failed: fail,
  });
  const peers = new Peers({ network, clock, logger }, addresses);
  peers.follow(opened.voters ?? []);
  const parts: Parts = {
    clock,
    logger,
    loop,
    log,
    peers,
    snapshots,
    apply,
    timers: new RaftTimers(clock, (id, generation) => feed({ type: 'timer', now: clock.now(), id, generation })),
    inbound: new InboundCalls(),
    committed: new CommittedLog(loop.raft, clock, () => snapshots.listedNow.at(-1)?.id),
    uncommitted: new Uncommitted(),
    voterChanges: new VoterChanges(),
    isRunning,
    feed,
    votersChanged: (voters) => options.votersChanged?.(voters),
    failed: fail,
  };
  return parts;
}

function coreConfig(
  options: QuorumOptions,
  opened: OpenedReplica,
  addresses: ReadonlyMap<NodeId, Address>,
): RaftConfig {
  const { id } = options.raft.replica;
  const endpoints = new Map([...addresses].map(([peer, address]) => [peer, endpointOf(address)]));
  if (options.endpoint !== '' && !endpoints.has(id)) endpoints.set(id, options.endpoint);
  return { ...options.raft, voterIds: voterIdsOf(opened.voters, addresses.keys()), endpoints };
}
