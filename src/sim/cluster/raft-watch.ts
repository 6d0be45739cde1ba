// Judges the metadata quorum of whole nodes by the checkers of the core's own simulation (S-R1..S-R17): hears of each step by
// CoreTrace, sees messages leave at the network port (raft-messages.ts) and knows from the simulated database what is durable.
// Nothing here trusts the driver under test, src/quorum.
import type { Ms, NodeId } from '../../base/ids.ts';
import type { Env } from '../../env/env.ts';
import type { CoreTrace } from '../../quorum/core-trace.ts';
import type { Batch, OpId, RaftConfig, RaftEffect, RaftEvent } from '../../raft/types.ts';
import { safetyCheckers } from '../raft/checks/all.ts';
import { RAFT_CORE } from '../raft/core.ts';
import type { SimDisk as ModelDisk } from '../raft/disk.ts';
import { newDisk, syncOldest } from '../raft/disk.ts';
import type { Ghost, NodeView } from '../raft/ghost.ts';
import { newGhost } from '../raft/ghost.ts';
import { batchHash } from '../raft/hash.ts';
import { indexEndingAt } from '../raft/log-entry.ts';
import type { Observer } from '../raft/observe.ts';
import {
  newObserver,
  observeAppend,
  observeClaim,
  observeCommit,
  observeCrash,
  observeEmitted,
  observeReleased,
  observeRenounce,
  observeRole,
  observeStarted,
  observeStateWrite,
  observeSync,
  observeTruncate,
} from '../raft/observe.ts';
import { replicaKey } from '../raft/replica-key.ts';
import { check, Violation } from '../raft/violation.ts';
import { DurableMetadata } from './durable-metadata.ts';
import type { RaftMessages } from './raft-messages.ts';
import { watchRaftMessages } from './raft-messages.ts';
import type { Reigns } from './reigns.ts';

/** Protocol events of whole nodes, for triggers. */
export type RaftMoment =
  | 'becameLeader'
  | 'becameCandidate'
  | 'resigned'
  | 'voteGranted'
  | 'appended'
  | 'truncated'
  | 'hwAdvanced';

export interface RaftWatchHooks {
  /** A property does not hold. */
  failed(property: string, detail: string): void;
  happened(nodeId: NodeId, moment: RaftMoment): void;
  readonly reigns: Reigns;
  now(): Ms;
}

export class RaftWatch {
  readonly ghost: Ghost;
  readonly #observer: Observer;
  readonly #hooks: RaftWatchHooks;

  /** Nodes 1..controllers are the voters. */
  constructor(controllers: number, nodes: number, hooks: RaftWatchHooks) {
    // Node ids of clusters begin with 1: the first place stays empty, like a voter that never starts.
    this.ghost = newGhost(nodes + 1, controllers + 1, (id) => replicaKey(0, id, 0), RAFT_CORE.votersOf);
    this.#observer = newObserver(this.ghost, safetyCheckers());
    this.#hooks = hooks;
  }

  /** The watch over one node, for all its lives. */
  node(id: NodeId): NodeWatch {
    return new NodeWatch(this.#observer, this.ghost.nodes[id] as NodeView, this.#hooks);
  }
}

export class NodeWatch {
  readonly #observer: Observer;
  readonly #view: NodeView;
  readonly #hooks: RaftWatchHooks;
  #durable = new DurableMetadata();
  #life = 0;
  /** End offset of the image that the state machine shows, -1 where it is not known. */
  appliedEndOffset: () => number = () => -1;

  constructor(observer: Observer, view: NodeView, hooks: RaftWatchHooks) {
    this.#observer = observer;
    this.#view = view;
    this.#hooks = hooks;
  }

  /** Follows a new metadata database on the disk of this node. */
  newDatabase(): DurableMetadata {
    const durable = new DurableMetadata();
    durable.onDurable = () => this.#judge(() => this.#catchUp(durable));
    this.#durable = durable;
    return durable;
  }

  /** What a new life gets: its ports, with every Raft message reported that leaves through them, and a listener at its core. */
  newLife(env: Env): { readonly env: Env; readonly trace: CoreTrace } {
    const life = ++this.#life;
    this.#hooks.reigns.over(this.#view.id, this.#hooks.now());
    const judge = (look: () => void): void => {
      if (life === this.#life) this.#judge(look);
    };
    const messages: RaftMessages = {
      leaves: (message, request) => judge(() => observeReleased(this.#observer, this.#view, message, request)),
    };
    return {
      env: { ...env, network: watchRaftMessages(env.network, messages) },
      trace: {
        config: (config) => judge(() => this.#begin(config)),
        draw: () => {},
        event: (event) => judge(() => this.#take(event)),
        effects: (effects) => judge(() => effects.forEach((effect) => this.#see(effect))),
      },
    };
  }

  #take(event: RaftEvent): void {
    if (event.type === 'start') this.#checkLoaded(event.durable);
    else if (event.type === 'diskDone') this.#checkDurable(event.op);
    else if (event.type === 'applied') this.#applied(event.endOffset);
  }

  // ---- the disk ----

  /** The life before is over, and what it left is what the database now holds. */
  #begin({ replica }: RaftConfig): void {
    const { disk, incarnation } = this.#view;
    if (incarnation === 0) this.#view.disk = newDisk(replica);
    else if (disk.replica.directoryId !== replica.directoryId) observeCrash(this.#observer, this.#view, 0, replica);
    else {
      const surviving = this.#survivors(disk);
      observeCrash(this.#observer, this.#view, surviving, undefined);
    }
    observeStarted(this.#observer, this.#view);
  }

  /** How many of the operations that were not synced when the process ended have reached the disk. */
  #survivors(disk: ModelDisk): number {
    const probe: ModelDisk = { ...disk, synced: [...disk.synced], pending: [...disk.pending] };
    for (let count = 0; count <= disk.pending.length; count++) {
      if (count > 0) syncOldest(probe);
      if (this.#durable.equals(probe)) return count;
    }
    throw new Violation('M-5', `${this.#whatIsDurable()}, which no prefix of the core's operations gives`);
  }

  /** A batch became durable: it makes the next operations so. */
  #catchUp(durable: DurableMetadata): void {
    const { disk, alive } = this.#view;
    // What an open finds is looked at when the core begins; what an old database holds, no more.
    if (!alive || durable !== this.#durable) return;
    while (!durable.equals(disk)) {
      check('M-5', disk.pending.length > 0, () => `${this.#whatIsDurable()}, and the core asked for something else`);
      observeSync(this.#observer, this.#view);
    }
  }

  /** The driver tells the core that everything up to `op` is durable. */
  #checkDurable(op: OpId): void {
    const { disk } = this.#view;
    while (disk.pending.length > 0 && (disk.pending[0]?.op ?? op + 1) <= op) observeSync(this.#observer, this.#view);
    check('M-5', this.#durable.equals(disk), () => `operation ${op} is said to be durable; ${this.#whatIsDurable()}`);
  }

  #checkLoaded({ quorumState, batches }: Extract<RaftEvent, { type: 'start' }>['durable']): void {
    const { synced, syncedState } = this.#view.disk;
    const last = batches.at(-1);
    const expected = synced.at(-1)?.batch;
    const same =
      batches.length === synced.length &&
      quorumState?.leaderEpoch === syncedState?.leaderEpoch &&
      quorumState?.votedKey?.directoryId === syncedState?.votedKey?.directoryId &&
      (last === undefined || expected === undefined || batchHash(last) === batchHash(expected));
    check('R-1.7', same, () => `node ${this.#view.id} starts with something else: ${this.#whatIsDurable()}`);
  }

  #whatIsDurable(): string {
    return `the database of node ${this.#view.id} holds ${this.#durable.describe()}`;
  }

  // ---- steps ----

  #applied(endOffset: number): void {
    const shown = this.appliedEndOffset();
    check(
      'R-9.2',
      shown < 0 || shown >= endOffset,
      () => `node ${this.#view.id} tells its core that ${endOffset} is applied, its image ends at ${shown}`,
    );
    this.#view.appliedEndOffset = endOffset;
  }

  #see(effect: RaftEffect): void {
    const observer = this.#observer;
    const view = this.#view;
    switch (effect.type) {
      case 'writeQuorumState':
        return observeStateWrite(observer, view, effect.op, effect.state);
      case 'append': {
        const created = observeAppend(observer, view, effect.op, effect.batches);
        return created.length > 0 ? this.#happened('appended') : undefined;
      }
      case 'truncate':
        observeTruncate(observer, view, effect.op, effect.endOffset);
        return this.#happened('truncated');
      case 'call':
        return observeEmitted(observer, view, effect.message, effect.after);
      case 'reply':
        observeEmitted(observer, view, effect.message, effect.after);
        return effect.message.type === 'vote' && effect.message.granted ? this.#happened('voteGranted') : undefined;
      case 'role':
        return this.#role(effect);
      case 'commit':
        observeCommit(observer, view, effect.highWatermark, this.#asWritten(effect.batches));
        return view.role === 'leader' ? this.#happened('hwAdvanced') : undefined;
      case 'claim':
        this.#hooks.reigns.claimed(view.id, effect.epoch, this.#hooks.now());
        return observeClaim(observer, view, effect.epoch);
      case 'renounce':
        this.#hooks.reigns.over(view.id, this.#hooks.now());
        return observeRenounce(observer, view, effect.epoch);
      default:
        return;
    }
  }

  /** A restarted core has other objects for the same batches. */
  #asWritten(batches: readonly Batch[]): Batch[] {
    const { written } = this.#view.disk;
    return batches.map((batch) => {
      const own = written[indexEndingAt(written, batch.baseOffset + batch.records.length)]?.batch;
      return own !== undefined && batchHash(own) === batchHash(batch) ? own : batch;
    });
  }

  #role(effect: Extract<RaftEffect, { type: 'role' }>): void {
    const { role, epoch } = this.#view;
    observeRole(this.#observer, this.#view, effect);
    if (effect.role === role && effect.epoch === epoch) return;
    if (effect.role === 'leader') {
      this.#hooks.reigns.elected(effect.epoch, this.#hooks.now());
      this.#happened('becameLeader');
    }
    if (effect.role === 'candidate') this.#happened('becameCandidate');
    else if (effect.role === 'resigned') this.#happened('resigned');
  }

  #happened(moment: RaftMoment): void {
    this.#hooks.happened(this.#view.id, moment);
  }

  /** Product code is running when this is called: a violation must not end up in its hands. */
  #judge(look: () => void): void {
    try {
      look();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#hooks.failed(error.property, error.detail);
    }
  }
}
