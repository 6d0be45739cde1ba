// What the state machine is told, in log order: loading a snapshot takes its time, so commits and claims behind it wait.
// Holds batches that the log in memory holds as well, and nothing else. A failing load or apply is fatal.
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, Offset } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import type { Batch, Snapshot, SnapshotId } from '../raft/types.ts';
import type { Volume } from './snapshot-taker.ts';
import type { StateMachine } from './state-machine.ts';

export interface ApplyQueueHooks {
  readonly machine: () => StateMachine;
  readonly clock: Clock;
  /** The records of a snapshot of the catalogue. EnvError CORRUPT, IO: also while they are read. */
  readonly read: (id: SnapshotId) => AsyncIterable<readonly Uint8Array[]>;
  /** Everything below `endOffset` is applied; `epoch` is that before it; `volume`: of records since the last call. */
  readonly applied: (endOffset: Offset, epoch: Epoch, volume: Volume) => void;
  /** The state is now that of the snapshot. */
  readonly loaded: (snapshot: Snapshot) => void;
  readonly failed: (reason: string, error: unknown) => void;
}

type Task =
  | { readonly type: 'load'; readonly snapshot: Snapshot }
  | { readonly type: 'commit'; readonly batches: readonly Batch[] }
  | { readonly type: 'claim'; readonly epoch: Epoch };

/** Longest stretch of applying before others run: a start replays all of the log. */
const SLICE_MS: Ms = 20;

export class ApplyQueue {
  readonly #hooks: ApplyQueueHooks;
  #tasks: Task[] = [];
  /** Batches of the first task that are applied already. */
  #done = 0;
  #claimed: Epoch | undefined;
  #state: 'idle' | 'running' | 'waiting' | 'stopped' = 'idle';
  #timer: Timer | undefined;
  #loading: Promise<void> | undefined;

  constructor(hooks: ApplyQueueHooks) {
    this.#hooks = hooks;
  }

  /** Starts over from a snapshot: what was to be applied before it is part of it. */
  load(snapshot: Snapshot): void {
    assert(this.#claimed === undefined, 'a leader is never asked to load a snapshot (R-9.3)');
    this.#tasks = [{ type: 'load', snapshot }];
    this.#done = 0;
    this.#run();
  }

  commit(batches: readonly Batch[]): void {
    this.#tasks.push({ type: 'commit', batches });
    this.#run();
  }

  claim(epoch: Epoch): void {
    this.#tasks.push({ type: 'claim', epoch });
    this.#run();
  }

  /** At once: a claim that was not made known yet is not made at all. */
  renounce(epoch: Epoch): void {
    this.#tasks = this.#tasks.filter((task) => task.type !== 'claim');
    if (this.#claimed !== epoch) return;
    this.#claimed = undefined;
    this.tell((machine) => machine.renounce(epoch));
  }

  /** Something that has no place in the log. */
  tell(what: (machine: StateMachine) => void): void {
    this.#guard(() => what(this.#hooks.machine()));
  }

  /** Nothing more is applied; what is being loaded is given up. */
  stop(): void {
    this.#state = 'stopped';
    this.#tasks = [];
    this.#timer?.cancel();
  }

  /** Resolves when nothing is being loaded. */
  async idle(): Promise<void> {
    await this.#loading;
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#fail('the metadata state machine failed', error);
    }
  }

  #fail(reason: string, error: unknown): void {
    if (this.#isStopped()) return;
    this.stop();
    this.#hooks.failed(reason, error);
  }

  /** Works the tasks off until one has to wait. What a task leads to may add others: they are worked off by the same loop. */
  #run(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'running';
    const sliceEnds = this.#hooks.clock.now() + SLICE_MS;
    while (this.#isRunning()) {
      const task = this.#tasks[0];
      if (task === undefined) {
        this.#state = 'idle';
        return;
      }
      if (task.type === 'load') {
        this.#loading = this.#load(task.snapshot);
        return;
      }
      if (task.type === 'claim') this.#claim(task.epoch);
      else if (!this.#apply(task.batches, sliceEnds)) return this.#pause();
    }
  }

  #isRunning(): boolean {
    return this.#state === 'running';
  }

  #isStopped(): boolean {
    return this.#state === 'stopped';
  }

  #claim(epoch: Epoch): void {
    this.#tasks.shift();
    this.#claimed = epoch;
    this.tell((machine) => machine.claim(epoch));
  }

  /** Applies batches of the first task; false if time ran out before all were. */
  #apply(batches: readonly Batch[], sliceEnds: Ms): boolean {
    const { clock } = this.#hooks;
    const machine = this.#hooks.machine();
    let bytes = 0;
    let records = 0;
    let last: Batch | undefined;
    let inTime = true;
    while (this.#done < batches.length && inTime) {
      const batch = batches[this.#done++] as Batch;
      const { baseOffset, epoch } = batch;
      for (const record of batch.records) bytes += record.length;
      records += batch.records.length;
      const endOffset = baseOffset + batch.records.length;
      this.#guard(() => machine.apply({ baseOffset, endOffset, epoch, records: batch.control ? [] : batch.records }));
      if (!this.#isRunning()) return true;
      last = batch;
      inTime = clock.now() < sliceEnds;
    }
    const isComplete = this.#done === batches.length;
    if (isComplete) {
      this.#tasks.shift();
      this.#done = 0;
    }
    if (last !== undefined) {
      this.#hooks.applied(last.baseOffset + last.records.length, last.epoch, { bytes, records });
    }
    return isComplete;
  }

  #pause(): void {
    if (!this.#isRunning()) return;
    this.#state = 'waiting';
    this.#timer = this.#hooks.clock.schedule(0, () => this.#resume());
  }

  #resume(): void {
    if (this.#state !== 'waiting') return;
    this.#state = 'idle';
    this.#run();
  }

  async #load(snapshot: Snapshot): Promise<void> {
    this.#state = 'waiting';
    const task = this.#tasks[0];
    try {
      await this.#hooks.machine().load(snapshot.id, this.#chunksOf(snapshot.id));
    } catch (error) {
      this.#fail('the metadata snapshot cannot be loaded', error);
    }
    if (this.#isStopped()) return;
    // Another snapshot may have come meanwhile; then this one was for nothing.
    if (this.#tasks[0] === task) {
      this.#tasks.shift();
      this.#hooks.loaded(snapshot);
      this.#hooks.applied(snapshot.id.endOffset, snapshot.id.epoch, { bytes: 0, records: 0 });
    }
    this.#resume();
  }

  async *#chunksOf(id: SnapshotId): AsyncGenerator<readonly Uint8Array[]> {
    for await (const chunk of this.#hooks.read(id)) {
      if (this.#isStopped()) throw new Error('the node stopped while it loaded a snapshot');
      yield chunk;
    }
  }
}
