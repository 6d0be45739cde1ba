// The ids and positions that every floor speaks of. Offsets are safe integers; bigint appears in codecs only.

/** Position of a record in a log, >= 0. Names tell the bound: `*EndOffset` is exclusive, `last*Offset` inclusive. */
export type Offset = number;

/** Id of a controller or broker (`node.id`), 0 .. 2^31-1. */
export type NodeId = number;

/** Raft epoch, partition leader epoch or producer epoch, >= 0; -1 where there is none. */
export type Epoch = number;

/** Milliseconds; of the monotonic clock unless the name says `timestamp` or `wall`. */
export type Ms = number;

/** No node: a partition without a leader, an unknown raft leader. */
export const NO_NODE: NodeId = -1;
