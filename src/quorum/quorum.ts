// One replica of the metadata quorum: drives the raft core over the ports. Keeps M-5 (what a message asserts is durable before it
// leaves, through DurableLog), R-9.1 (the state machine sees committed batches only, in order, through ApplyQueue), R-9.4 and R-14
// (a failure stops the node; a leader says farewell first). Holds no protocol rule of its own.
import { assert, must } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Env } from '../env/env.ts';
import type { Address, RpcService } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { describeQuorum } from '../raft/describe.ts';
import type {
  DurableState,
  QuorumDescription,
  RaftEffect,
  RaftRequest,
  RaftResponse,
  Snapshot,
  SnapshotId,
  VoterChange,
} from '../raft/types.ts';
import type { CommittedRead } from './committed-log.ts';
import { farewellOf } from './farewell.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS } from './limits.ts';
import type { OpenedReplica } from './opened-replica.ts';
import { openReplica, writeFailure } from './opened-replica.ts';
import type { QuorumOptions } from './options.ts';
import type { Parts } from './parts.ts';
import { composeParts } from './parts.ts';
import { raftService } from './service.ts';
import type { SnapshotReader } from './snapshots.ts';
import type { StateMachine } from './state-machine.ts';

/** How long a leader that stops, or fails, lets its EndQuorumEpoch calls take. */
const FAREWELL_MS: Ms = 300;

/** A node whose log names the voters with their endpoints waits no longer for those that are to be found. */
const PATIENCE_MS: Ms = 2000;

export class Quorum {
  /** RaftService, for the controller listener. */
  readonly service: RpcService;
  readonly #options: QuorumOptions;
  readonly #atStart: DurableState;
  readonly #parts: Parts;
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
    this.#options = options;
    this.#atStart = opened.durable;
    this.#parts = composeParts(env, options, opened, addresses, {
      machine: () => must(this.#machine, 'the state machine'),
      isRunning: () => this.#phase === 'running',
      fail: (reason, cause) => this.fail(reason, cause),
    });
    this.service = raftService(options.raft.clusterId, (message, peer) => this.#serve(message, peer));
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
      const finding = options.findVoters(opened.voters === undefined);
      const addresses = await within(
        env.clock,
        finding,
        mayStartAlone(opened, raft.replica.id) ? PATIENCE_MS : undefined,
      );
      const opening = new Quorum(env, options, opened, addresses ?? new Map());
      quorum = opening;
      if (addresses === undefined)
        void finding.then((found) => found.forEach((address, id) => opening.setPeer(id, address)));
      return opening;
    } catch (error) {
      await opened.storage.close();
      await opened.note.close();
      throw error;
    }
  }

  /** Begins to take part. The state machine gets the newest snapshot, then the committed log from its end on. */
  start(stateMachine: StateMachine): void {
    assert(this.#phase === 'opened', 'a quorum is started once');
    this.#phase = 'running';
    this.#machine = stateMachine;
    this.#parts.snapshots.taker.start();
    this.#parts.feed({ type: 'start', now: this.#now(), durable: this.#atStart });
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
    const answer = this.#parts.loop.ask(
      { type: 'propose', now: this.#now(), token, claimEpoch, records },
      (effect): effect is Proposed => effect.type === 'proposed' && effect.token === token,
    );
    if (answer === undefined) return undefined;
    const { baseOffset, lastOffset } = answer;
    this.#parts.uncommitted.appended(lastOffset + 1, bytes);
    return { baseOffset, lastOffset };
  }

  /** Where the next batch of this leader will be. */
  get logEndOffset(): Offset {
    return this.#parts.loop.raft.log.endOffset;
  }

  /** Too much is appended and not committed: commands should be refused until that has changed. */
  get isCongested(): boolean {
    return this.#parts.uncommitted.isFull;
  }

  /**
   * Committed batches, control ones included, from the one that holds `from` on: at least one if there is one, else at most
   * `maxBytes` of records; or where the log begins, if that is above `from`. What is committed need not be applied yet.
   */
  readCommitted(from: Offset, maxBytes: number): CommittedRead {
    return this.#parts.committed.read(from, maxBytes);
  }

  /** True once everything below `endOffset` is committed as far as this node knows; false after `timeoutMs` or at the stop. */
  whenCommitted(endOffset: Offset, timeoutMs: Ms = Number.POSITIVE_INFINITY): Promise<boolean> {
    return this.#parts.committed.whenCommitted(endOffset, timeoutMs);
  }

  // ---- snapshots ----

  /** The catalogue, oldest first: at most the two newest snapshots of this node. */
  get snapshots(): readonly Snapshot[] {
    return this.#parts.snapshots.listedNow;
  }

  /**
   * Opens a snapshot of the catalogue, the newest if `id` is not given; undefined if it is not there (any more). Its file stays until
   * the reader is closed. EnvError CORRUPT, IO.
   */
  openSnapshot(id?: SnapshotId): Promise<SnapshotReader | undefined> {
    return this.#parts.snapshots.open(id);
  }

  /** Takes a snapshot of everything applied now, if there is anything new since the last; its id, or undefined if it could not be. */
  takeSnapshot(): Promise<SnapshotId | undefined> {
    return this.#parts.snapshots.taker.take();
  }

  // ---- the quorum ----

  describe(): QuorumDescription {
    return describeQuorum(this.#parts.loop.raft);
  }

  /**
   * changes the voter set by one. Resolves when the change is committed, under the new set. Throws VoterChangeRefused (nothing
   * happened: not the leader, not ready, not caught up, ...) or VoterChangeUnknown (appended, then the leadership ended).
   */
  changeVoters(change: VoterChange): Promise<{ offset: Offset }> {
    if (this.#phase !== 'running') return Promise.reject(notRunning());
    const token = this.#nextToken++;
    const outcome = this.#parts.voterChanges.wait(token);
    this.#parts.feed({ type: 'changeVoters', now: this.#now(), token, change });
    return outcome;
  }

  /** A voter is (now) at this address, which wins over what the voter set says. */
  setPeer(id: NodeId, address: Address): void {
    this.#parts.peers.set(id, address);
  }

  /** gives up the leadership of `epoch`, if this node still has it. */
  resign(epoch: Epoch): void {
    this.#parts.feed({ type: 'resign', now: this.#now(), epoch });
  }

  /**
   * The node cannot go on: it takes no further part, whatever comes. A leader tells the others first, so that they elect
   * at once; then `fatal` of the options is called. Only the first failure counts.
   */
  fail(reason: string, cause?: unknown): void {
    if (this.#phase !== 'running' && this.#phase !== 'opened') return;
    this.#phase = 'failing';
    const farewell = this.#parts.log.isStateDurable ? farewellOf(this.#options.raft, this.describe()) : undefined;
    this.#quiesce();
    if (farewell === undefined) {
      this.#end(reason, cause);
      return;
    }
    this.#parts.logger.error('quorum-failing', { reason, cause, action: 'the leadership is handed over first' });
    this.#parts.peers.sendFarewell(farewell.to, farewell.message, FAREWELL_MS);
    this.#failed = this.#parts.peers.farewell(FAREWELL_MS).then(() => this.#end(reason, cause));
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
      await this.#parts.log.idle();
      await this.#parts.peers.farewell(FAREWELL_MS);
    }
    await this.#failed;
    this.#phase = 'stopped';
    this.#quiesce();
    this.#parts.peers.close();
    await this.#parts.apply.idle();
    await this.#parts.snapshots.stop();
    await this.#parts.log.close();
  }

  #now(): Ms {
    return this.#parts.clock.now();
  }

  #end(reason: string, cause: unknown): void {
    this.#parts.peers.close();
    this.#options.fatal(reason, cause);
  }

  /** Nothing goes in any more, nobody waits any more. */
  #quiesce(): void {
    this.#parts.loop.stop();
    this.#parts.timers.stop();
    this.#parts.apply.stop();
    this.#parts.inbound.failAll(notRunning);
    this.#parts.voterChanges.abandon();
    this.#parts.committed.close();
  }

  #serve(message: RaftRequest, peer: string): Promise<RaftResponse> {
    if (this.#phase !== 'running') return Promise.reject(notRunning());
    return this.#parts.inbound.open(peer, (call) =>
      this.#parts.feed({ type: 'request', now: this.#now(), call, message }),
    );
  }
}

/** Whether the log says where the other voters listen, so that nobody has to be found first. */
function mayStartAlone({ voters }: OpenedReplica, own: NodeId): boolean {
  return voters?.every(({ id, endpoint }) => id === own || endpoint !== '') ?? false;
}

/** What `promise` resolves to, or undefined after `limitMs`; without a limit it is waited for. */
async function within<T>(clock: Clock, promise: Promise<T>, limitMs: Ms | undefined): Promise<T | undefined> {
  if (limitMs === undefined) return promise;
  let timer: Timer | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = clock.schedule(limitMs, () => resolve(undefined));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer?.cancel();
  }
}

type Proposed = Extract<RaftEffect, { type: 'proposed' }>;

function notRunning(): RpcError {
  return new RpcError('UNAVAILABLE', 'the node is not running');
}
