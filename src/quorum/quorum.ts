// One replica of the metadata quorum: drives the raft core over the ports. Keeps M-5 (what a message asserts is durable before it
// leaves, through DurableLog), R-9.1 (the state machine sees committed batches only, in order, through ApplyQueue), R-9.4 and R-14
// (a failure stops the node; a leader says farewell first). Holds no protocol rule of its own.
import { assert, unreachable } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Env } from '../env/env.ts';
import type { Logger } from '../env/logger.ts';
import type { Address, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { describeQuorum } from '../raft/describe.ts';
import { votersAsOf } from '../raft/state.ts';
import type {
  DurableState,
  EndQuorumEpochRequest,
  QuorumDescription,
  RaftConfig,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
  Snapshot,
  SnapshotId,
  Voter,
  VoterChange,
} from '../raft/types.ts';
import { ApplyQueue } from './apply-queue.ts';
import type { CommittedRead } from './committed-log.ts';
import { CommittedLog } from './committed-log.ts';
import { CoreLoop } from './core-loop.ts';
import type { CoreTrace } from './core-trace.ts';
import { DurableLog } from './durable-log.ts';
import { InboundCalls } from './inbound-calls.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS } from './limits.ts';
import type { OpenedReplica } from './opened-replica.ts';
import { openReplica, voterIdsOf, writeFailure } from './opened-replica.ts';
import { endpointOf, Peers } from './peers.ts';
import { RaftTimers } from './raft-timers.ts';
import { raftService } from './service.ts';
import type { SnapshotPolicy } from './snapshot-taker.ts';
import type { SnapshotReader } from './snapshots.ts';
import { Snapshots } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';
import { Uncommitted } from './uncommitted.ts';
import { VoterChanges } from './voter-changes.ts';

export type { CommittedBatch, StateMachine } from './state-machine.ts';

export interface QuorumOptions {
  /** metadata.log.dir, formatted: with a durable-end note. */
  readonly directory: string;
  readonly raft: Omit<RaftConfig, 'voterIds' | 'endpoints'>;
  /** Where others reach this node's controller listener, as host:port; '' for a mere broker. */
  readonly endpoint: string;
  readonly snapshots: SnapshotPolicy;
  /**
   * Finds the configured voters and where they listen: all of them while the own log is empty, as nothing else says who they are
   * (R-0.3a), else those known now; of the others `setPeer` tells later.
   */
  findVoters(logIsEmpty: boolean): Promise<ReadonlyMap<NodeId, Address>>;
  /** The voter set in force is now this one, committed or not. */
  votersChanged?(voters: readonly Voter[]): void;
  /** The node must stop: said once, after the farewell of a leader. `reason` says what to do as well. */
  fatal(reason: string, cause?: unknown): void;
  /** Hears what goes into the core and comes out. */
  readonly trace?: CoreTrace | undefined;
}

/** How long a leader that stops, or fails, lets its EndQuorumEpoch calls take. */
const FAREWELL_MS: Ms = 300;

export class Quorum {
  /** RaftService, for the controller listener. */
  readonly service: RpcService;
  readonly #env: Env;
  readonly #logger: Logger;
  readonly #options: QuorumOptions;
  readonly #atStart: DurableState;
  readonly #loop: CoreLoop;
  readonly #log: DurableLog;
  readonly #timers: RaftTimers;
  readonly #peers: Peers;
  readonly #inbound = new InboundCalls();
  readonly #snapshots: Snapshots;
  readonly #committed: CommittedLog;
  readonly #voterChanges = new VoterChanges();
  readonly #uncommitted = new Uncommitted();
  #apply: ApplyQueue | undefined;
  #machine: StateMachine | undefined;
  #nextToken = 0;
  #phase: 'opened' | 'running' | 'failing' | 'stopped' = 'opened';
  /** Resolves when a failed node has said all it has to say. */
  #failed: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  private constructor(
    env: Env,
    options: QuorumOptions,
    opened: OpenedReplica,
    addresses: ReadonlyMap<NodeId, Address>,
  ) {
    const { clock, network } = env;
    const { clusterId, replica } = options.raft;
    const logger = env.logger.child({ component: 'quorum' });
    this.#env = env;
    this.#logger = logger;
    this.#options = options;
    this.#atStart = opened.durable;
    const endpoints = new Map([...addresses].map(([id, address]) => [id, endpointOf(address)]));
    if (options.endpoint !== '' && !endpoints.has(replica.id)) endpoints.set(replica.id, options.endpoint);
    const voterIds = voterIdsOf(opened.voters, addresses.keys());
    const config: RaftConfig = { ...options.raft, voterIds, endpoints };
    this.#loop = new CoreLoop(config, env.random, options.trace, {
      carryOut: (effect) => this.#carryOut(effect),
      failed: (error) => this.fail('the consensus core failed: this is a bug of Kvorum', error),
    });
    const { raft } = this.#loop;
    this.#log = new DurableLog(opened.storage, opened.note, opened.durable.quorumState, {
      done: (op) => this.#dispatch({ type: 'diskDone', now: clock.now(), op }),
      failed: (error) => this.fail(writeFailure(options.directory, error), error),
      listed: (snapshots) => void this.#snapshots.listed(snapshots),
    });
    this.#timers = new RaftTimers(clock, (id, generation) =>
      this.#dispatch({ type: 'timer', now: clock.now(), id, generation }),
    );
    this.#peers = new Peers({ network, clock, logger }, addresses);
    this.#peers.follow(opened.voters ?? []);
    this.#snapshots = new Snapshots({
      env,
      logger,
      clusterId,
      folder: opened.folder,
      policy: options.snapshots,
      records: () => this.#machine?.snapshot() ?? [],
      votersAsOf: (endOffset) => votersAsOf(raft, endOffset),
      feed: (event) => this.#dispatch(event),
      failed: (reason, error) => this.fail(reason, error),
    });
    this.#committed = new CommittedLog(raft, clock, () => this.snapshots.at(-1)?.id);
    this.service = raftService(clusterId, (message, peer) => this.#serve(message, peer));
  }

  /** Opens and verifies log and snapshots. EnvError LOCKED, CORRUPT, IO: each says the reason and the way out. */
  static async open(env: Env, options: QuorumOptions): Promise<Quorum> {
    const { directory, raft } = options;
    let quorum: Quorum | undefined;
    const opened = await openReplica(env, env.logger.child({ component: 'quorum' }), {
      directory,
      clusterId: raft.clusterId,
      noteFailed: (error) => quorum?.fail(writeFailure(directory, error), error),
    });
    try {
      const addresses = await options.findVoters(opened.voters === undefined);
      quorum = new Quorum(env, options, opened, addresses);
      return quorum;
    } catch (error) {
      await opened.storage.close();
      await opened.note.close();
      throw error;
    }
  }

  /** Begins to take part. The state machine gets the newest snapshot, then the committed log from its end on. */
  start(stateMachine: StateMachine): void {
    assert(this.#phase === 'opened', 'a quorum is started once');
    const { clock } = this.#env;
    const { taker } = this.#snapshots;
    this.#phase = 'running';
    this.#machine = stateMachine;
    this.#apply = new ApplyQueue({
      machine: stateMachine,
      clock,
      read: (id) => this.#snapshots.read(id),
      applied: (endOffset, epoch, bytes) => {
        taker.applied(endOffset, epoch, bytes);
        this.#dispatch({ type: 'applied', now: clock.now(), endOffset });
      },
      loaded: ({ id }) => taker.loaded(id),
      failed: (reason, error) => this.fail(reason, error),
    });
    taker.start();
    this.#dispatch({ type: 'start', now: clock.now(), durable: this.#atStart });
  }

  // ---- the log ----

  /**
   * Appends the records as one atomic batch in the claimed epoch; undefined if this node does not lead that epoch (any
   * more). Appended is not committed: that is learned by `apply`, or lost with `renounce`.
   */
  append(claimEpoch: Epoch, records: readonly Uint8Array[]): { baseOffset: Offset; lastOffset: Offset } | undefined {
    let bytes = 0;
    for (const record of records) bytes += record.length;
    assert(bytes <= MAX_BATCH_BYTES && records.length <= MAX_BATCH_RECORDS, 'a batch is within its limits');
    const token = this.#nextToken++;
    const answer = this.#loop.ask(
      { type: 'propose', now: this.#env.clock.now(), token, claimEpoch, records },
      (effect): effect is Proposed => effect.type === 'proposed' && effect.token === token,
    );
    if (answer === undefined) return undefined;
    const { baseOffset, lastOffset } = answer;
    this.#uncommitted.appended(lastOffset + 1, bytes);
    return { baseOffset, lastOffset };
  }

  /** Too much is appended and not committed: commands should be refused until that has changed. */
  get isCongested(): boolean {
    return this.#uncommitted.isFull;
  }

  /**
   * Committed batches, control ones included, from the one that holds `from` on: at least one if there is one, else at most
   * `maxBytes` of records; or where the log begins, if that is above `from`. What is committed need not be applied yet.
   */
  readCommitted(from: Offset, maxBytes: number): CommittedRead {
    return this.#committed.read(from, maxBytes);
  }

  /** True once everything below `endOffset` is committed as far as this node knows; false after `timeoutMs` or at the stop. */
  whenCommitted(endOffset: Offset, timeoutMs: Ms = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#committed.whenCommitted(endOffset, timeoutMs);
  }

  // ---- snapshots ----

  /** The catalogue, oldest first: at most the two newest snapshots of this node. */
  get snapshots(): readonly Snapshot[] {
    return this.#snapshots.listedNow;
  }

  /**
   * Opens a snapshot of the catalogue, the newest if `id` is not given; undefined if it is not there (any more). Its file stays until
   * the reader is closed. EnvError CORRUPT, IO.
   */
  openSnapshot(id?: SnapshotId): Promise<SnapshotReader | undefined> {
    return this.#snapshots.open(id);
  }

  /** Takes a snapshot of everything applied now, if there is anything new since the last; its id, or undefined if it could not be. */
  takeSnapshot(): Promise<SnapshotId | undefined> {
    return this.#snapshots.taker.take();
  }

  // ---- the quorum ----

  describe(): QuorumDescription {
    return describeQuorum(this.#loop.raft);
  }

  /**
   * changes the voter set by one. Resolves when the change is committed, under the new set. Throws VoterChangeRefused (nothing
   * happened: not the leader, not ready, not caught up, ...) or VoterChangeUnknown (appended, then the leadership ended).
   */
  changeVoters(change: VoterChange): Promise<{ offset: Offset }> {
    if (this.#phase !== 'running') return Promise.reject(notRunning());
    const token = this.#nextToken++;
    const outcome = this.#voterChanges.wait(token);
    this.#dispatch({ type: 'changeVoters', now: this.#env.clock.now(), token, change });
    return outcome;
  }

  /** A voter is (now) at this address, which wins over what the voter set says. */
  setPeer(id: NodeId, address: Address): void {
    this.#peers.set(id, address);
  }

  /** gives up the leadership of `epoch`, if this node still has it. */
  resign(epoch: Epoch): void {
    this.#dispatch({ type: 'resign', now: this.#env.clock.now(), epoch });
  }

  /**
   * The node cannot go on: it takes no further part, whatever comes. A leader tells the others first, so that they elect
   * at once; then `fatal` of the options is called. Only the first failure counts.
   */
  fail(reason: string, cause?: unknown): void {
    if (this.#phase !== 'running' && this.#phase !== 'opened') return;
    this.#phase = 'failing';
    const farewell = this.#farewellOf(this.describe());
    this.#quiesce();
    if (farewell === undefined) {
      this.#end(reason, cause);
      return;
    }
    this.#logger.error('quorum-failing', { reason, cause, action: 'the leadership is handed over first' });
    this.#peers.sendFarewell(farewell.to, farewell.message, FAREWELL_MS);
    this.#failed = this.#peers.farewell(FAREWELL_MS).then(() => this.#end(reason, cause));
  }

  /** Resigns, makes everything durable, closes. After a failure it only closes. */
  stop(): Promise<void> {
    this.#closed ??= this.#leave();
    return this.#closed;
  }

  async #leave(): Promise<void> {
    if (this.#phase === 'running') {
      const { role, epoch } = this.describe();
      if (role === 'leader') this.resign(epoch);
      await this.#log.idle();
      await this.#peers.farewell(FAREWELL_MS);
    }
    await this.#failed;
    this.#phase = 'stopped';
    this.#quiesce();
    this.#peers.close();
    await this.#apply?.idle();
    await this.#snapshots.stop();
    await this.#log.close();
  }

  /** The last words of a leader whose core may not be trusted any more: made of what it knew, not by it. */
  #farewellOf({ role, epoch, voters }: QuorumDescription) {
    if (role !== 'leader' || !this.#log.isStateDurable) return undefined;
    const { clusterId, replica } = this.#options.raft;
    const others = voters
      .filter((voter) => voter.replica.id !== replica.id)
      .toSorted((a, b) => b.logEndOffset - a.logEndOffset)
      .map((voter) => voter.replica);
    if (others.length === 0) return undefined;
    const message: EndQuorumEpochRequest = {
      type: 'endQuorumEpoch',
      clusterId,
      leaderKey: replica,
      epoch,
      preferredSuccessors: others,
    };
    return { to: others.map(({ id }) => id), message };
  }

  #end(reason: string, cause: unknown): void {
    this.#peers.close();
    this.#options.fatal(reason, cause);
  }

  /** Nothing goes in any more, nobody waits any more. */
  #quiesce(): void {
    this.#loop.stop();
    this.#timers.stop();
    this.#apply?.stop();
    this.#inbound.failAll(notRunning);
    this.#voterChanges.abandon();
    this.#committed.close();
  }

  #serve(message: RaftRequest, peer: string): Promise<RaftResponse> {
    if (this.#phase !== 'running') return Promise.reject(notRunning());
    return this.#inbound.open(peer, (call) =>
      this.#dispatch({ type: 'request', now: this.#env.clock.now(), call, message }),
    );
  }

  #dispatch(event: RaftEvent): void {
    this.#loop.dispatch(event);
  }

  #carryOut(effect: RaftEffect): void {
    switch (effect.type) {
      case 'catalogue':
        this.#snapshots.list(effect.snapshots);
        return this.#log.carryOut(effect);
      case 'writeQuorumState':
      case 'append':
      case 'truncate':
        return this.#log.carryOut(effect);
      case 'call':
        return this.#log.after(effect.after, () => void this.#call(effect));
      case 'reply':
        return this.#log.after(effect.after, () => this.#inbound.answer(effect.call, effect.message));
      case 'serveSnapshot':
        return this.#log.after(effect.after, () => void this.#servePiece(effect));
      case 'receiveSnapshot':
        return this.#snapshots.receiver.piece(effect.id, effect.position, effect.bytes);
      case 'finishSnapshot':
        return this.#snapshots.receiver.finish(effect.id, effect.sizeBytes);
      case 'setTimer':
        return this.#timers.set(effect);
      case 'cancelTimer':
        return this.#timers.cancel(effect.id);
      case 'proposed':
      case 'refused':
        return; // read by append, synchronously
      case 'fatal':
        return this.fail(effect.reason);
      default:
        return this.#announce(effect);
    }
  }

  /** What the state machine, an operator or a waiting caller should know. */
  #announce(effect: Announcement): void {
    const apply = this.#apply;
    assert(apply !== undefined, 'effects come after start');
    switch (effect.type) {
      case 'loadSnapshot':
        return apply.load(effect.snapshot);
      case 'commit':
        this.#uncommitted.committed(effect.highWatermark);
        apply.commit(effect.batches);
        this.#committed.committed();
        return this.#voterChanges.committed(effect.highWatermark);
      case 'claim':
        return apply.claim(effect.epoch);
      case 'renounce':
        this.#uncommitted.clear();
        return apply.renounce(effect.epoch);
      case 'role':
        this.#logger.info('quorum-role', { role: effect.role, epoch: effect.epoch, leaderId: effect.leaderId });
        if (effect.role !== 'leader') this.#voterChanges.abandon();
        return apply.tell((machine) => machine.leaderChanged(effect.leaderId, effect.epoch));
      case 'voters':
        this.#peers.follow(effect.voters);
        return this.#options.votersChanged?.(effect.voters);
      case 'voterChange':
        return this.#voterChanges.answered(effect);
      case 'notice':
        return this.#logger[effect.level](effect.event, { ...effect.fields });
      default:
        unreachable(effect, 'raft effect');
    }
  }

  async #call(effect: Extract<RaftEffect, { type: 'call' }>): Promise<void> {
    if (this.#phase !== 'running') return;
    const result = await this.#peers.call(effect.to, effect.message, effect.timeoutMs);
    const now = this.#env.clock.now();
    if ('failure' in result) this.#dispatch({ type: 'callFailed', now, call: effect.call, failure: result.failure });
    else this.#dispatch({ type: 'response', now, call: effect.call, message: result });
  }

  async #servePiece(effect: Extract<RaftEffect, { type: 'serveSnapshot' }>): Promise<void> {
    try {
      this.#inbound.answer(effect.call, await this.#snapshots.serve(effect));
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#inbound.fail(effect.call, error);
    }
  }
}

type Proposed = Extract<RaftEffect, { type: 'proposed' }>;
type Announcement = Extract<
  RaftEffect,
  { type: 'loadSnapshot' | 'commit' | 'claim' | 'renounce' | 'role' | 'voters' | 'voterChange' | 'notice' }
>;

function notRunning(): RpcError {
  return new RpcError('UNAVAILABLE', 'the node is not running');
}
