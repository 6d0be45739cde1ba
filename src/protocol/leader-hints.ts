// Structs that Produce and Fetch responses share (KIP-951): where to go instead of asking for metadata first.
import { int32, string, struct } from './schema.ts';

/** Tag number differs by message, versions too: hence fields, not a field. */
export const LEADER_ID_AND_EPOCH = {
  /** -1 if unknown. */
  leaderId: int32({ default: -1 }),
  leaderEpoch: int32({ default: -1 }),
};

export const nodeEndpoint = struct({
  nodeId: int32(),
  host: string(),
  port: int32(),
  rack: string({ nullable: '0+', default: null }),
});
