// What the contract suites need of an implementation of the ports. One suite per port; every implementation passes it.
// No suite waits for real time: they wait for events or sleep on the world's clock, which `run` may move as it likes.
import type { Env } from '../../src/env/env.ts';

export interface World {
  /** The node under test. */
  readonly env: Env;
  /** Another node of the same world (the same one where there is only one). */
  readonly peer: Env;
  /** Where `env` listens, and where both reach it. */
  readonly host: string;
  /** An existing, empty folder on the disk of `env`, made durable. */
  readonly directory: string;
}

export interface Harness {
  /** Makes a fresh world, runs `body` to its end while driving the world's clock, and takes the world down. */
  run(body: (world: World) => Promise<void>): Promise<void>;
}

/** A promise with its handles outside. */
export interface Signal<T = void> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

export function signal<T = void>(): Signal<T> {
  let resolve: ((value: T) => void) | undefined;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve: (value) => resolve?.(value) };
}

/** What `promise` was rejected with; fails if it was fulfilled. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}
