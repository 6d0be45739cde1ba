// Names for the commands that this process passes on (C-9.1c), so that they can be sent again without taking effect again. A few
// client ids, each with one command under way: the controllers remember the newest command of a client, and only so many clients.
// A sequence is used once, whatever became of its command: what is late finds a higher one, and is refused.
import type { Ms } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Clock } from '../env/clock.ts';
import type { RpcError } from '../env/network.ts';
import type { Random } from '../env/random.ts';
import { randomUuid } from '../env/random.ts';
import { undone } from '../env/rpc-failures.ts';

/** Client ids of one process: of those that are remembered (1000), thirty processes can use so many. */
const MAX_IDS = 32;
/** Calls that wait for one: a commit takes milliseconds, so these are seconds of work. */
const MAX_WAITING = 2000;

export interface LentName {
  readonly clientId: Uuid;
  readonly sequence: number;
}

interface Waiter {
  readonly give: (clientId: Uuid) => void;
}

export class CommandIds {
  readonly #clock: Clock;
  readonly #random: Random;
  /** The last sequence used, by client id. */
  readonly #sequences = new Map<Uuid, number>();
  readonly #free: Uuid[] = [];
  readonly #waiting = new Set<Waiter>();

  constructor({ clock, random }: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Carries `command` out under a name that nobody else has meanwhile. RpcError RESOURCE_EXHAUSTED, with nothing done, where none
   * is free within `limitMs`, or too many wait already.
   */
  async named<T>(limitMs: Ms, command: (name: LentName) => Promise<T>): Promise<T> {
    const free = this.#free.pop() ?? this.#another(limitMs);
    const clientId = typeof free === 'string' ? free : await free;
    const sequence = (this.#sequences.get(clientId) ?? 0) + 1;
    this.#sequences.set(clientId, sequence);
    try {
      return await command({ clientId, sequence });
    } finally {
      this.#giveBack(clientId);
    }
  }

  #another(limitMs: Ms): Uuid | Promise<Uuid> {
    if (this.#sequences.size < MAX_IDS) {
      const clientId = randomUuid(this.#random, 'client.commandId');
      this.#sequences.set(clientId, 0);
      return clientId;
    }
    if (this.#waiting.size >= MAX_WAITING) throw tooMany(`${MAX_WAITING} more wait`);
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        give: (clientId) => {
          timer.cancel();
          resolve(clientId);
        },
      };
      const timer = this.#clock.schedule(Math.max(0, limitMs), () => {
        this.#waiting.delete(waiter);
        reject(tooMany(`none was answered within ${Math.round(limitMs)} ms`));
      });
      this.#waiting.add(waiter);
    });
  }

  #giveBack(clientId: Uuid): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free.push(clientId);
      return;
    }
    this.#waiting.delete(next);
    next.give(clientId);
  }
}

function tooMany(why: string): RpcError {
  const message = `this node passes on ${MAX_IDS} commands already, and ${why}: nothing was done, try again later`;
  return undone('RESOURCE_EXHAUSTED', 'TOO_MANY_PENDING', message);
}
