// Bounds on what one node keeps for others (back-pressure), each with its reason. Reached only by a peer that misbehaves or by a
// leader that cannot commit: the caller is told RESOURCE_EXHAUSTED and tries again.

/** Requests under way of one connection: a replica has one fetch and the odd vote or announcement outstanding. */
export const MAX_CALLS_PER_PEER = 64;
/** Requests under way in total: a parked fetch of every broker of a big cluster, and room for a storm of votes. */
export const MAX_CALLS = 10_000;

/** Largest batch, as Kafka's metadata quorum has it: 8 MiB of records. One always fits into a fetch response. */
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** Records of one batch: 100,000 partitions of a topic at once are far beyond what a command may ask for. */
export const MAX_BATCH_RECORDS = 200_000;

/** Appended by this leader and not committed: so much a follower may have to catch up, and so much memory may wait for it. */
export const MAX_UNCOMMITTED_BYTES = 32 * 1024 * 1024;
/** The same in batches, which cost more than their bytes: about half a second of commits at full speed. */
export const MAX_UNCOMMITTED_BATCHES = 10_000;

/**
 * Records between two snapshots of a node, however small: each costs some hundred bytes of memory beside its own, and the log holds
 * twice as many.
 */
export const MAX_RECORDS_BETWEEN_SNAPSHOTS = 30_000;

/** One piece of a snapshot, whatever the fetcher asks for. */
export const MAX_SNAPSHOT_PIECE_BYTES = 1024 * 1024;
/** Pieces being read at once, over all fetchers: bounds memory and leaves threads of the disk pool to the log. */
export const MAX_PIECES_READ = 4;

/** Voters of a quorum: Kafka's advice is up to 5; a list that is longer by far is no voter set. */
export const MAX_VOTERS = 100;
