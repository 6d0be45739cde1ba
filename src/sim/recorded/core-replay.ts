// Runs a recorded core again: the same events and draws must give the same effects. Where they do not, the core is not a
// function of what it hears, or it is another release than the one that was recorded.
import { AssertionError } from '../../base/assert.ts';
import type { RecordedDraw, RecordedStep } from '../../quorum/recording.ts';
import { effectsChecksum } from '../../quorum/recording.ts';
import type { RaftState } from '../../raft/state.ts';
import { createRaft } from '../../raft/state.ts';
import { step } from '../../raft/step.ts';
import type { RaftConfig, RaftEffect } from '../../raft/types.ts';

export interface ReplayedStep {
  /** What the core answers now. */
  readonly effects: readonly RaftEffect[];
  /** How that differs from what was recorded, in a few words; undefined if it does not. */
  readonly difference: string | undefined;
}

/** A draw that the recorded core did not take. */
class UnexpectedDraw extends Error {
  override name = 'UnexpectedDraw';
}

export class CoreReplay {
  readonly #raft: RaftState;
  #draws: readonly RecordedDraw[] = [];
  #drawn = 0;

  constructor(config: RaftConfig) {
    this.#raft = createRaft(config, { below: (key, bound) => this.#below(key, bound) });
  }

  /** After a difference the state is not that of the recorded core any more: what follows proves nothing. */
  step({ event, draws, checksum }: RecordedStep): ReplayedStep {
    this.#draws = draws;
    this.#drawn = 0;
    const effects: RaftEffect[] = [];
    try {
      step(this.#raft, event, effects);
    } catch (error) {
      // A core that fails as it did when it was recorded is replayed well: its effects until then are compared.
      if (error instanceof UnexpectedDraw) return { effects, difference: error.message };
      if (!(error instanceof AssertionError)) throw error;
      const failed = effectsChecksum(effects) === checksum ? undefined : `the core fails: ${error.message}`;
      return { effects, difference: failed };
    }
    return { effects, difference: this.#compare(effects, checksum) };
  }

  #below(key: string, bound: number): number {
    const draw = this.#draws[this.#drawn++];
    if (draw?.[0] === key && draw[1] === bound) return draw[2];
    const recorded = draw === undefined ? 'none' : `${draw[0]} below ${draw[1]}`;
    throw new UnexpectedDraw(`the core draws ${key} below ${bound}, recorded is ${recorded}`);
  }

  #compare(effects: readonly RaftEffect[], checksum: number): string | undefined {
    if (this.#drawn < this.#draws.length)
      return `the core draws ${this.#drawn} times, recorded are ${this.#draws.length}`;
    if (effectsChecksum(effects) === checksum) return undefined;
    const types = effects.map(({ type }) => type).join(', ');
    return `the core answers with other effects than recorded: ${types === '' ? 'none' : types}`;
  }
}
