// What deciding gives: records to append and the answer for when they are committed, or a refusal. Deciding is pure (C-0.1).
import { NO_NODE } from '../../base/ids.ts';
import type { RpcStatus } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../metadata/image.ts';

export interface Decision<T> {
  /** One atomic batch; empty if nothing changes. */
  readonly records: readonly MetadataRecord[];
  /** The answer; `after` is the image as of the end of the batch. */
  readonly respond: (after: MetadataImage) => T;
}

/** The whole call fails. `message`: one sentence that says what is wrong. */
export interface Refusal {
  readonly refused: RpcStatus;
  readonly message: string;
  /** For programs: short and constant, e.g. STALE_BROKER_EPOCH, or INVALID_ and the field. */
  readonly reason: string;
}

export type Decided<T> = Decision<T> | Refusal;

export function refuse(refused: RpcStatus, message: string, reason: string = refused): Refusal {
  return { refused, message, reason };
}

/** What the caller of a refused command gets: it had no effect. */
export function refusalError({ refused, message, reason }: Refusal): RpcError {
  return new RpcError(refused, message, undefined, { reason, mayTakeEffect: false, controllerId: NO_NODE });
}

export function isRefusal<T>(decided: Decided<T>): decided is Refusal {
  return 'refused' in decided;
}
