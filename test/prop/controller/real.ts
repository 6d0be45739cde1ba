// The real controller under the model: its harness, every call that is open, and the checker of what is committed.
import assert from 'node:assert/strict';
import { MetadataHistory } from '../../../src/check/metadata.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { PartitionRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { decodeRecords } from '../../../src/metadata/record.ts';
import { startHarness } from '../../unit/controller/harness.ts';
import type { Model } from './model.ts';

const ascending = (a: number, b: number): number => a - b;

/** A call that was made to the controller, and what must become of it. */
interface OpenCall {
  readonly what: string;
  /** End of the log that must be committed before it is answered (C-0.2). */
  readonly needs: number;
  /** Throws if the answer is wrong. */
  readonly check: (answer: unknown) => void;
  /** The claim it was made to is over. */
  isLost: boolean;
  outcome: { readonly value: unknown } | { readonly error: unknown } | undefined;
}

export class Real {
  readonly h = startHarness('min.insync.replicas=1\n');
  readonly history = new MetadataHistory();
  #open: OpenCall[] = [];
  answered = 0;
  lost = 0;

  /** What the last batch of the log places: the controller's choice. */
  placed(): PartitionRecord[] {
    const batch = this.h.quorum.log.at(-1);
    return decodeRecords(batch?.records ?? [], batch?.baseOffset ?? 0).flatMap(({ kind }) =>
      kind?.$case === 'partition' ? [kind.partition] : [],
    );
  }

  /** Whether calling `ask` appended something, and the call. */
  append<T>(ask: () => Promise<T>): { readonly didAppend: boolean; readonly call: Promise<T> } {
    const { length } = this.h.quorum.log;
    const call = ask();
    return { didAppend: this.h.quorum.log.length > length, call };
  }

  expectAnswer<T>(what: string, call: Promise<T>, check: (answer: T) => void): void {
    const open: OpenCall = {
      what,
      needs: this.h.quorum.endOffset,
      check: check as (answer: unknown) => void,
      isLost: false,
      outcome: undefined,
    };
    call.then(
      (value) => {
        open.outcome = { value };
      },
      (error: unknown) => {
        open.outcome = { error };
      },
    );
    this.#open.push(open);
  }

  /** The claim is over: nobody knows what becomes of what it had begun. */
  depose(): void {
    for (const open of this.#open) if (open.needs > this.h.quorum.committed) open.isLost = true;
  }

  /** What is committed is right, shown and answered; nothing else is. */
  async check(model: Model): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    for (const { baseOffset, endOffset, records } of this.h.quorum.log) {
      if (baseOffset < this.history.endOffset || endOffset > this.h.quorum.committed) continue;
      const found = this.history.commit({ baseOffset, endOffset, records: decodeRecords(records, baseOffset) });
      if (found !== undefined) throw new Error(`${found.property}: ${found.detail}`);
    }
    this.#checkImage(model);
    this.#open = this.#open.filter((open) => !this.#checkCall(open));
    assert.deepEqual(this.h.quorum.resigned, [], 'a surprise ends a claim');
  }

  #checkImage({ committed }: Model): void {
    const { image } = this.h.publisher;
    const brokers = [...image.brokers.values()].map(({ brokerId, brokerEpoch, bootCounter, fenced }) => {
      return [String(brokerId), { epoch: brokerEpoch, boot: bootCounter, isActive: !fenced }] as const;
    });
    const topics = [...image.topics.values()].map(({ name, partitions }) => {
      const states = [...partitions].map(({ replicas, isr, elr, leader, leaderEpoch, partitionEpoch }) => {
        return {
          replicas,
          isr: isr.toSorted(ascending),
          elr: elr.toSorted(ascending),
          leader,
          leaderEpoch,
          partitionEpoch,
        };
      });
      return [name, { configs: image.configs.get(`topic:${name}`)?.toObject() ?? {}, partitions: states }] as const;
    });
    const sorted = Object.entries(committed.topics).map(([name, { configs, partitions }]) => {
      const states = partitions.map((state) => ({
        ...state,
        isr: state.isr.toSorted(ascending),
        elr: state.elr.toSorted(ascending),
      }));
      return [name, { configs, partitions: states }] as const;
    });
    assert.deepEqual(Object.fromEntries(brokers), committed.brokers);
    assert.deepEqual(Object.fromEntries(topics), Object.fromEntries(sorted));
  }

  /** Whether it is over. */
  #checkCall({ what, needs, check, isLost, outcome }: OpenCall): boolean {
    if (isLost) {
      const error = outcome !== undefined && 'error' in outcome ? outcome.error : undefined;
      assert(error instanceof RpcError, `${what} was under way when the claim ended`);
      assert.equal(error.status, 'UNAVAILABLE');
      this.lost++;
      return true;
    }
    if (needs > this.h.quorum.committed) {
      assert.equal(outcome, undefined, `C-0.2: ${what} is answered before ${needs} is committed`);
      return false;
    }
    assert(outcome !== undefined, `${what} is committed and not answered`);
    assert(!('error' in outcome), `${what} failed: ${'error' in outcome ? String(outcome.error) : ''}`);
    check(outcome.value);
    this.answered++;
    return true;
  }
}
