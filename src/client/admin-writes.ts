// What AdminService has the active controller do: which methods, how much in one call, and what it means to do them twice (C-9.1).
// The same for every node, whether it decides or passes the call on.
import type { Ms } from '../base/ids.ts';
import type { RpcHandlers } from '../env/network.ts';
import { invalidArgument } from '../env/rpc-failures.ts';
import type {
  AdminServiceDefinition,
  AlterConfigsRequest,
  AlterConfigsResponse,
  CreatePartitionsRequest,
  CreatePartitionsResponse,
  CreateTopicsRequest,
  CreateTopicsResponse,
  DeleteTopicsRequest,
  DeleteTopicsResponse,
  ElectLeadersRequest,
  ElectLeadersResponse,
  UnregisterBrokerRequest,
  UnregisterBrokerResponse,
  UpdateFeaturesRequest,
  UpdateFeaturesResponse,
} from '../gen/kvorum/v1/admin.ts';
import { ElectionType } from '../gen/kvorum/v1/admin.ts';

type Handlers = RpcHandlers<AdminServiceDefinition>;

export type AdminWrite =
  | 'createTopics'
  | 'createPartitions'
  | 'deleteTopics'
  | 'alterConfigs'
  | 'electLeaders'
  | 'unregisterBroker'
  | 'updateFeatures';

/** The handlers of the writes. */
export type AdminWrites = Pick<Handlers, AdminWrite>;
/** All other handlers of AdminService: whoever is asked answers from what it has, or asks the quorum's leader. */
export type AdminReads = Omit<Handlers, AdminWrite>;

interface Messages {
  readonly createTopics: [CreateTopicsRequest, CreateTopicsResponse];
  readonly createPartitions: [CreatePartitionsRequest, CreatePartitionsResponse];
  readonly deleteTopics: [DeleteTopicsRequest, DeleteTopicsResponse];
  readonly alterConfigs: [AlterConfigsRequest, AlterConfigsResponse];
  readonly electLeaders: [ElectLeadersRequest, ElectLeadersResponse];
  readonly unregisterBroker: [UnregisterBrokerRequest, UnregisterBrokerResponse];
  readonly updateFeatures: [UpdateFeaturesRequest, UpdateFeaturesResponse];
}

export type RequestOf<W extends AdminWrite> = Messages[W][0];
export type ResponseOf<W extends AdminWrite> = Messages[W][1];

/**
 * Whether an attempt that may have been carried out may be made again, so that a failover in the middle is nobody's business:
 * - `named`: if the command has a name (C-9.1c); a node that passes on a command without one gives it one. Not below the metadata
 *   level at which names are remembered.
 * - `repeatable`: as it is, the second time changes nothing (C-9.1a).
 * - `once`: never. Who asked hears that the outcome is not known, looks, and decides.
 */
export type Repetition = 'named' | 'repeatable' | 'once';

interface WriteRule<W extends AdminWrite> {
  readonly repetition: (request: RequestOf<W>) => Repetition;
  /** The field with the items of a call, and how many there are. */
  readonly items: (request: RequestOf<W>) => readonly [field: string, count: number];
}

/** Items of one call: their answers, and what they change, fit into one message and one batch of the metadata log (C-0.6). */
export const MAX_ITEMS_PER_CALL = 10_000;

/** A check alone changes nothing however often it is made. */
function unlessCheck({ validateOnly }: { readonly validateOnly: boolean }): Repetition {
  return validateOnly ? 'repeatable' : 'named';
}

export const ADMIN_WRITES: { readonly [W in AdminWrite]: WriteRule<W> } = {
  // Twice, the second says TOPIC_ALREADY_EXISTS, or creates again what somebody has deleted in between.
  createTopics: { repetition: unlessCheck, items: ({ topics }) => ['topics', topics.length] },
  createPartitions: { repetition: unlessCheck, items: ({ topics }) => ['topics', topics.length] },
  // Twice, the second deletes what somebody has created anew.
  deleteTopics: { repetition: unlessCheck, items: ({ topics }) => ['topics', topics.length] },
  // Twice, the second undoes what somebody has set in between.
  alterConfigs: {
    repetition: unlessCheck,
    items: ({ resources }) => [
      'resources',
      resources.reduce((sum, { alterations }) => sum + Math.max(1, alterations.length), 0),
    ],
  },
  // Twice, the preferred leader leads already. An unclean election is asked for once: later, it may cost more than it would have.
  electLeaders: {
    repetition: ({ type, validateOnly }) => (validateOnly || type === ElectionType.PREFERRED ? 'repeatable' : 'once'),
    items: ({ partitions }) => ['partitions', partitions.length],
  },
  // Twice, the second could forget a broker of that id that has come since.
  unregisterBroker: { repetition: () => 'once', items: () => ['broker_id', 1] },
  // Twice, the level is in force already, and that is the answer; it is never lowered.
  updateFeatures: { repetition: () => 'repeatable', items: () => ['metadata_level', 1] },
};

/** RpcError INVALID_ARGUMENT for what is wrong with the call as a whole, whatever its items are. */
export function checkWrite<W extends AdminWrite>(write: W, request: RequestOf<W>): void {
  const [field, count] = ADMIN_WRITES[write].items(request);
  if (count > MAX_ITEMS_PER_CALL) {
    const message = `the call has ${count} items in ${field}, of ${MAX_ITEMS_PER_CALL} possible: use several calls`;
    throw invalidArgument(field, message);
  }
}

/** Of the caller's time so much is left for the answer's way: who gives up first hears nothing of why. */
const ANSWER_MS: Ms = 50;

/** How long to try for a caller who waits `remainingMs`, at most `limitMs`. */
export function timeToTry(remainingMs: Ms, limitMs: Ms = Number.POSITIVE_INFINITY): Ms {
  return Math.min(limitMs, Math.max(0, remainingMs - Math.min(ANSWER_MS, remainingMs / 10)));
}
