// What the cluster is to know of a replica here: the log dir that holds it (KIP-858), or that it cannot be counted on though that log dir
// works (D-10.2): its log is damaged, or ends below what was committed in it. That is told as LOST_DIRECTORY: others are elected,
// and it is in no ISR and no ELR any more. Only then it says where it is, and only then a damaged one may begin anew.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LOST_DIRECTORY, ZERO_UUID } from '../base/uuid.ts';
import type { EnvError } from '../env/error.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { PartitionState } from '../metadata/image.ts';

export type Standing =
  | { readonly kind: 'as known' }
  | { readonly kind: 'elsewhere'; readonly directoryId: Uuid }
  | { readonly kind: 'to begin anew'; readonly reason: EnvError };

const AS_KNOWN: Standing = { kind: 'as known' };

/** A replica, as far as it matters here. */
export interface StandingReplica {
  readonly hosted: { readonly partition: object | undefined; readonly failure: EnvError | undefined };
  readonly directory: Pick<LogDirectory, 'health' | 'meta' | 'isIncomplete' | 'told'> | undefined;
  readonly partition: number;
}

/** `isOnly`: the broker has one log dir, so that there is nothing to tell of where it is, unless the metadata names another. */
export function standingOf(
  topicId: Uuid,
  { hosted, directory, partition }: StandingReplica,
  state: PartitionState,
  { brokerId, isOnly }: { readonly brokerId: NodeId; readonly isOnly: boolean },
): Standing {
  const named = state.directories[state.replicas.indexOf(brokerId)] ?? ZERO_UUID;
  if (directory !== undefined && directory.health.failure !== undefined) return AS_KNOWN;
  const { failure } = hosted;
  if (failure !== undefined) {
    if (failure.code !== 'CORRUPT' && failure.code !== 'EXISTS') return AS_KNOWN;
    if (named !== LOST_DIRECTORY) return { kind: 'elsewhere', directoryId: LOST_DIRECTORY };
    const hasOthers = [...state.isr, ...state.elr].some((id) => id !== brokerId);
    return failure.code === 'CORRUPT' && hasOthers ? { kind: 'to begin anew', reason: failure } : AS_KNOWN;
  }
  if (directory === undefined || hosted.partition === undefined) return AS_KNOWN;
  if (directory.isIncomplete(topicId, partition)) {
    const isCounted = state.isr.includes(brokerId) || state.elr.includes(brokerId);
    // Of the only replica nobody has more.
    if (isCounted && named !== LOST_DIRECTORY && state.replicas.length > 1) {
      return { kind: 'elsewhere', directoryId: LOST_DIRECTORY };
    }
    directory.told(topicId, partition).catch(() => undefined); // its log dir fails, and tells
  }
  const { directoryId } = directory.meta;
  const isKnown = named === directoryId || (named === ZERO_UUID && isOnly);
  return isKnown ? AS_KNOWN : { kind: 'elsewhere', directoryId };
}
