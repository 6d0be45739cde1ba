// How a command fails: one sentence on standard error and an exit code. 1: it, or a part of it, could not be done. 2: it was asked
// wrongly.
import { ClientError } from '../client/client-error.ts';
import { ProduceError } from '../client/produce-error.ts';
import { RpcError } from '../env/network.ts';
import { StartError } from '../server/start-error.ts';

/** The user's input makes no sense; the message says what would. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Says why, and sets the exit code. A bug is thrown on, with its stack. */
export function failWith(error: unknown): void {
  if (error instanceof UsageError) {
    console.error(`kvorum: ${error.message}`);
    process.exitCode = 2;
  } else if (
    error instanceof StartError ||
    error instanceof RpcError ||
    error instanceof ClientError ||
    error instanceof ProduceError
  ) {
    console.error(`kvorum: ${error.message}`);
    process.exitCode = 1;
  } else throw error;
}

/** A whole number of at least `min`, as an option's value. */
export function wholeNumber(name: string, min: number): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min) return value;
    throw new UsageError(`${name} takes a whole number of at least ${min}, not '${text}'`);
  };
}
