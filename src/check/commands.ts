// Commands that name themselves (C-9.1c): S-M10. The log holds each once, and whoever asks again gets the same answer.
import type { Uuid } from '../base/uuid.ts';
import type { SeenCommand } from './metadata-records.ts';
import type { Violation } from './violation.ts';
import { violation } from './violation.ts';

export class CommandHistory {
  /** Newest sequence of each client in the log. */
  readonly #newest = new Map<Uuid, number>();
  readonly #recorded = new Set<string>();
  readonly #answers = new Map<string, string>();
  /** Answers that came a second time. */
  repeated = 0;

  /** A record of the log, in its order. */
  record({ clientId, sequence }: SeenCommand): Violation | undefined {
    const newest = this.#newest.get(clientId) ?? 0;
    const name = nameOf(clientId, sequence);
    if (sequence <= newest) return violation('S-M10', `${name} takes effect after number ${newest} of its client`);
    this.#newest.set(clientId, sequence);
    this.#recorded.add(name);
    return undefined;
  }

  /** A client got this answer, without what may differ each time. */
  answered(clientId: Uuid, sequence: number, answer: string): Violation | undefined {
    const name = nameOf(clientId, sequence);
    const before = this.#answers.get(name);
    if (before === undefined) {
      this.#answers.set(name, answer);
      return undefined;
    }
    this.repeated++;
    return before === answer ? undefined : violation('S-M10', `${name} was answered ${before}, and then ${answer}`);
  }

  /** S-M10, at the end: what was answered took effect. */
  unfounded(): Violation | undefined {
    for (const name of this.#answers.keys()) {
      if (!this.#recorded.has(name)) return violation('S-M10', `${name} was answered, and is not in the log`);
    }
    return undefined;
  }
}

function nameOf(clientId: Uuid, sequence: number): string {
  return `command ${sequence} of client ${clientId}`;
}
