// Where each replica of this broker is, and what it can be served by.
import type { Uuid } from '../base/uuid.ts';
import type { LogDirectory } from '../log/log-directory.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { HostedPartition } from './hosted-partition.ts';
import type { Partition } from './partition.ts';
import { PartitionMap } from './partition-map.ts';

export interface Place {
  readonly hosted: HostedPartition;
  /** Undefined: in none that it could be served from. */
  readonly directory: LogDirectory | undefined;
  readonly topic: string;
  readonly partition: number;
}

export class ReplicaPlaces extends PartitionMap<Place> {
  /** What a request for a partition can be served by, waiting for a log that is being opened. */
  async find(topicId: Uuid, partition: number): Promise<Partition | ErrorName> {
    const hosted = this.get(topicId, partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    // Once: who asked earlier gets it earlier, even if another state has come meanwhile.
    await hosted.ready;
    return servedBy(hosted);
  }

  /** As `find`, without waiting; undefined while the log is being opened. */
  findNow(topicId: Uuid, partition: number): Partition | ErrorName | undefined {
    const hosted = this.get(topicId, partition)?.hosted;
    if (hosted === undefined) return 'NOT_LEADER_OR_FOLLOWER';
    return hosted.ready === undefined ? servedBy(hosted) : undefined;
  }

  /** Those whose log is open, and works. */
  *partitions(): Generator<Partition> {
    for (const { hosted } of this.values()) {
      if (hosted.partition?.failure === undefined && hosted.partition !== undefined) yield hosted.partition;
    }
  }

  /** Those in the log dir, opened or not. */
  *in(directory: LogDirectory): Generator<Place> {
    for (const place of this.values()) if (place.directory === directory) yield place;
  }

  /** Resolves when everything applied so far is carried out. */
  async settled(): Promise<void> {
    for (const { hosted } of [...this.values()]) await hosted.ready;
  }
}

function servedBy(hosted: HostedPartition): Partition | ErrorName {
  return hosted.partition ?? (hosted.isOffline ? 'KAFKA_STORAGE_ERROR' : 'NOT_LEADER_OR_FOLLOWER');
}
