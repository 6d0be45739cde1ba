// The future of a run: events by virtual time in microseconds, in the order of their scheduling where times are equal.
import { Heap } from '../../base/heap.ts';
import type { CallFailure, CallId, OpId, RaftRequest, RaftResponse, TimerId } from '../../raft/types.ts';
import type { FaultAction } from './scenario.ts';

/** Virtual time, integer microseconds from the start of the run. */
export type Us = number;

/** `incarnation`: whose process it is meant for; it is dropped if that one is gone. */
export type SimEvent =
  | {
      readonly kind: 'request';
      readonly to: number;
      readonly from: number;
      readonly incarnation: number;
      readonly call: CallId;
      readonly message: RaftRequest;
    }
  | {
      readonly kind: 'response';
      readonly node: number;
      readonly incarnation: number;
      readonly call: CallId;
      readonly message: RaftResponse;
    }
  | {
      readonly kind: 'callFailed';
      readonly node: number;
      readonly incarnation: number;
      readonly call: CallId;
      readonly failure: CallFailure;
    }
  | {
      readonly kind: 'timer';
      readonly node: number;
      readonly incarnation: number;
      readonly id: TimerId;
      readonly setting: number;
    }
  /** The disk has finished a sync of everything up to `op`. */
  | { readonly kind: 'sync'; readonly node: number; readonly incarnation: number; readonly op: OpId }
  /** The process hears of it. */
  | { readonly kind: 'diskDone'; readonly node: number; readonly incarnation: number; readonly op: OpId }
  | { readonly kind: 'applied'; readonly node: number; readonly incarnation: number; readonly endOffset: number }
  /** A snapshot file has been written and synced: an own one, or the one that was fetched. */
  | {
      readonly kind: 'snapshotFile';
      readonly node: number;
      readonly incarnation: number;
      readonly what: 'taken' | 'received';
      readonly setting: number;
    }
  | { readonly kind: 'changeVoters' }
  | { readonly kind: 'start'; readonly node: number; readonly incarnation: number }
  | { readonly kind: 'resume'; readonly node: number; readonly incarnation: number }
  | { readonly kind: 'propose'; readonly count: number }
  | { readonly kind: 'fault'; readonly action: FaultAction; readonly node: number }
  | { readonly kind: 'timedFault'; readonly index: number }
  /** End of a cut; void if another phase has mended everything since. */
  | { readonly kind: 'mend'; readonly links: readonly number[]; readonly phase: number }
  | { readonly kind: 'phase'; readonly name: 'faults' | 'heal' | 'probe' | 'end' };

interface Queued {
  readonly at: Us;
  readonly seq: number;
  readonly event: SimEvent;
}

export class EventQueue {
  readonly #heap = new Heap<Queued>((a, b) => a.at < b.at || (a.at === b.at && a.seq < b.seq));
  #seq = 0;

  push(at: Us, event: SimEvent): void {
    this.#heap.push({ at, seq: this.#seq++, event });
  }

  pop(): Queued | undefined {
    return this.#heap.pop();
  }
}
