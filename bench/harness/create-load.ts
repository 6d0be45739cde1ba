// Topics created without a pause, by several callers at once, and what each was told: to be compared with what is there afterwards.
import { setTimeout as sleep } from 'node:timers/promises';

/** Creates one topic; resolves with its id, rejects where the caller does not know. */
export type Create = (name: string) => Promise<string>;

interface Answer {
  readonly askedAt: number;
  readonly answeredAt: number;
}

export class CreateLoad {
  /** Ids of the topics whose creation was answered, by name. */
  readonly created = new Map<string, string>();
  /** Calls that failed: whether they took effect is known for none of them here. */
  failed = 0;
  readonly #answers: Answer[] = [];
  readonly #running: Promise<void>[] = [];
  #isOver = false;

  /** Calls at once, so many at a time, and again as soon as each is answered. */
  begin(name: string, create: Create, inFlight: number): void {
    for (let i = 0; i < inFlight; i++) this.#running.push(this.#run(`${name}-${i}`, create));
  }

  async #run(name: string, create: Create): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const topic = `${name}-${i}`;
      const askedAt = performance.now();
      try {
        this.created.set(topic, await create(topic));
        this.#answers.push({ askedAt, answeredAt: performance.now() });
      } catch {
        this.failed++;
        await sleep(5);
      }
    }
  }

  /** When the first call was answered that was made after this moment; Infinity: none was yet. */
  firstAnsweredAfter(moment: number): number {
    const times = this.#answers.filter(({ askedAt }) => askedAt > moment).map(({ answeredAt }) => answeredAt);
    return Math.min(Number.POSITIVE_INFINITY, ...times);
  }

  /** Resolves when no call is under way any more. */
  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

/** How many topics are missing that were answered, or are there under another id. */
export function wrongIn(created: ReadonlyMap<string, string>, there: ReadonlyMap<string, string>): number {
  let wrong = 0;
  for (const [name, id] of created) if (there.get(name) !== id) wrong++;
  return wrong;
}
