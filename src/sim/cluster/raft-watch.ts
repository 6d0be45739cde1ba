// Judges the metadata quorum of whole nodes by the checkers of the core's own simulation (S-R1..S-R17): hears of each step by
// CoreTrace, sees messages leave at the network port (raft-messages.ts) and knows from the simulated disk what is durable
// (replica-disk.ts). Nothing here trusts the driver under test, src/quorum.
import type { Ms, NodeId } from '../../base/ids.ts';
import type { Env } from '../../env/env.ts';
import type { CoreTrace } from '../../quorum/core-trace.ts';
import type { RaftEffect, RaftEvent, ReplicaKey, Snapshot } from '../../raft/types.ts';
import type { SimDisk } from '../disk/sim-disk.ts';
import { safetyCheckers } from '../raft/checks/all.ts';
import { RAFT_CORE } from '../raft/core.ts';
import type { Ghost, NodeView } from '../raft/ghost.ts';
import { namesOf, newGhost } from '../raft/ghost.ts';
import { wholeOf } from '../raft/log-entry.ts';
import type { Observer } from '../raft/observe.ts';
import {
  newObserver,
  observeAppend,
  observeCatalogue,
  observeClaim,
  observeCommit,
  observeEmitted,
  observeLoad,
  observeReleased,
  observeRenounce,
  observeRole,
  observeStateWrite,
  observeTruncate,
} from '../raft/observe.ts';
import { replicaKey } from '../raft/replica-key.ts';
import { check, Violation } from '../raft/violation.ts';
import { mayLoseDisk, sameVoters } from '../raft/voter-sets.ts';
import type { DurableMetadata } from './durable-metadata.ts';
import type { RaftMessages } from './raft-messages.ts';
import { watchRaftMessages } from './raft-messages.ts';
import type { Reigns } from './reigns.ts';
import { ReplicaDisk } from './replica-disk.ts';
import type { Moment } from './scenario.ts';

export interface RaftWatchHooks {
  /** A property does not hold. */
  failed(property: string, detail: string): void;
  happened(nodeId: NodeId, moment: Moment): void;
  readonly reigns: Reigns;
  now(): Ms;
}

export class RaftWatch {
  readonly ghost: Ghost;
  readonly #observer: Observer;
  readonly #hooks: RaftWatchHooks;

  /** Nodes 1..controllers are the voters, then come the brokers. */
  constructor(controllers: number, brokers: number, hooks: RaftWatchHooks) {
    // Node ids of clusters begin with 1: the first place stays empty, like a voter that never starts.
    const counts = { voters: controllers + 1, spares: 0, observers: brokers };
    this.ghost = newGhost(counts, (id) => replicaKey(0, id, 0), RAFT_CORE.votersOf);
    this.#observer = newObserver(this.ghost, safetyCheckers());
    this.#hooks = hooks;
  }

  /** The watch over one node, for all its lives. */
  node(id: NodeId, disk: SimDisk, snapshotDirectory: string): NodeWatch {
    const view = this.ghost.nodes[id] as NodeView;
    return new NodeWatch(
      this.#observer,
      view,
      new ReplicaDisk(this.#observer, view, disk, snapshotDirectory),
      this.#hooks,
    );
  }
}

export class NodeWatch {
  /** End offset of the image that the state machine shows, -1 where it is not known. */
  appliedEndOffset: () => number = () => -1;
  readonly #observer: Observer;
  readonly #view: NodeView;
  readonly #disk: ReplicaDisk;
  readonly #hooks: RaftWatchHooks;
  #life = 0;
  #event: RaftEvent | undefined;

  constructor(observer: Observer, view: NodeView, disk: ReplicaDisk, hooks: RaftWatchHooks) {
    this.#observer = observer;
    this.#view = view;
    this.#disk = disk;
    this.#hooks = hooks;
  }

  /** Who this node is on its present disk. */
  get replica(): ReplicaKey {
    return this.#view.disk.replica;
  }

  /** Follows a new metadata database on the disk of this node. */
  newDatabase(): DurableMetadata {
    return this.#disk.newDatabase((look) => this.#judge(look));
  }

  /** M-8: whether a majority of every voter set that may be in force keeps its disks, should this node lose its own. */
  mayLoseDisk(): boolean {
    return mayLoseDisk(this.#observer.ghost, this.#view.disk.replica);
  }

  /** The disk is gone, with all that it held. */
  diskLost(): void {
    const { disk } = this.#view;
    this.#observer.ghost.lostDisks.set(disk.replica.directoryId, disk);
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
        config: ({ replica }) => judge(() => this.#disk.begin(replica)),
        draw: () => {},
        event: (event) => judge(() => this.#take(event)),
        effects: (effects) => judge(() => this.#seeAll(effects)),
      },
    };
  }

  #take(event: RaftEvent): void {
    this.#event = event;
    if (event.type === 'start') this.#disk.loaded(event.durable);
    else if (event.type === 'diskDone') this.#disk.done(event.op);
    else if (event.type === 'applied') this.#applied(event.endOffset);
    else if (event.type === 'snapshotTaken') this.#disk.keep(event.snapshot, true);
    else if (event.type === 'snapshotReceived') this.#disk.keep(event.snapshot, false);
  }

  #applied(endOffset: number): void {
    const shown = this.appliedEndOffset();
    check(
      'R-9.2',
      shown < 0 || shown >= endOffset,
      () => `node ${this.#view.id} tells its core that ${endOffset} is applied, its image ends at ${shown}`,
    );
    this.#view.appliedEndOffset = endOffset;
  }

  #seeAll(effects: readonly RaftEffect[]): void {
    for (const effect of effects) this.#see(effect);
    this.#checkVotersTold();
    if (this.#event?.type === 'snapshotTaken') this.#checkListed(this.#event.snapshot);
  }

  #see(effect: RaftEffect): void {
    const observer = this.#observer;
    const view = this.#view;
    switch (effect.type) {
      case 'writeQuorumState':
        return observeStateWrite(observer, view, effect.op, effect.state);
      case 'append':
        return observeAppend(observer, view, effect.op, effect.batches).length > 0
          ? this.#happened('appended')
          : undefined;
      case 'truncate':
        observeTruncate(observer, view, effect.op, effect.endOffset);
        return this.#happened('truncated');
      case 'catalogue':
        observeCatalogue(observer, view, effect.op, this.#disk.files(effect.snapshots), effect.clearLog);
        return this.#happened('snapshotCatalogued');
      case 'loadSnapshot':
        for (const file of this.#disk.files([effect.snapshot])) observeLoad(observer, view, file);
        return this.#happened('snapshotLoading');
      case 'call':
      case 'reply':
        observeEmitted(observer, view, effect.message, effect.after);
        return isGrantedVote(effect) ? this.#happened('voteGranted') : undefined;
      case 'serveSnapshot':
        return observeEmitted(observer, view, effect.response, effect.after);
      case 'role':
        return this.#role(effect);
      case 'voters':
        view.voters = effect.voters;
        view.toldVoters = undefined;
        return;
      case 'commit':
        observeCommit(observer, view, effect.highWatermark, effect.batches);
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

  #role(effect: Extract<RaftEffect, { type: 'role' }>): void {
    const { role, epoch } = this.#view;
    observeRole(this.#observer, this.#view, effect);
    if (effect.role === role && effect.epoch === epoch) return;
    if (effect.role === 'leader') {
      this.#hooks.reigns.elected(effect.epoch, this.#hooks.now());
      this.#happened('becameLeader');
    } else if (effect.role === 'candidate') this.#happened('becameCandidate');
    else if (effect.role === 'resigned') this.#happened('resigned');
  }

  /** the voter set that the core has told of is that of its log. */
  #checkVotersTold(): void {
    const view = this.#view;
    const { voters } = wholeOf(view.disk.written);
    if (voters === view.toldVoters || view.voters === undefined) return;
    const told = view.voters;
    const detail = (): string => `node ${view.id} takes ${namesOf(told)} for the voters, not ${namesOf(voters ?? [])}`;
    check('S-R11', voters === undefined || sameVoters(voters, told), detail);
    view.toldVoters = voters;
  }

  /** S-X3: an own snapshot that is newer than all others is listed, else the log would grow without end. */
  #checkListed({ id }: Snapshot): void {
    const newest = this.#view.disk.writtenCatalogue.at(-1)?.content.endOffset ?? 0;
    check(
      'S-X3',
      id.endOffset <= newest,
      () => `node ${this.#view.id} does not list its snapshot up to ${id.endOffset}, the newest is up to ${newest}`,
    );
  }

  #happened(moment: Moment): void {
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

function isGrantedVote(effect: Extract<RaftEffect, { type: 'call' | 'reply' }>): boolean {
  return effect.type === 'reply' && effect.message.type === 'vote' && effect.message.granted;
}
