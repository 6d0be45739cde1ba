// The log dirs of a broker: which of them work, where a replica is, and where a new one goes (D-10.5). A replica is served from one
// directory, and never begun anew while the one that may hold it cannot be read.
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { EnvError } from '../env/error.ts';
import type { OfflineDirectory } from '../log/directory-health.ts';
import type { LogDirectory } from '../log/log-directory.ts';

export interface ReplicaIdentity {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
}

/** What the metadata says of the place of a replica on this broker. */
export interface ReplicaPlace {
  /** The directory, ZERO_UUID if it names none. */
  readonly named: Uuid;
  /** It was assigned to this broker in this life. */
  readonly isNew: boolean;
  /** It counts as complete: it is in the ISR or the ELR, or led last. Begun anew, it would be elected without its records. */
  readonly isCounted: boolean;
}

export class LogDirs {
  /** Those that were opened at the start, whatever became of them. */
  readonly opened: readonly LogDirectory[];
  /** Those that were not. */
  readonly unopened: readonly OfflineDirectory[];
  /** Replicas in each. */
  readonly #counts = new Map<LogDirectory, number>();

  constructor(opened: readonly LogDirectory[], unopened: readonly OfflineDirectory[]) {
    this.opened = opened;
    this.unopened = unopened;
  }

  get online(): LogDirectory[] {
    return this.opened.filter(({ health }) => health.failure === undefined);
  }

  /**
   * Where the replica is already; else, for one that may be made here, the directory that the metadata names, and if it names none
   * that is online, the one with the fewest replicas (the first of equals). An EnvError says why it cannot be served.
   */
  directoryOf(replica: ReplicaIdentity, { named, isNew, isCounted }: ReplicaPlace): LogDirectory | EnvError {
    const { topic, topicId, partition } = replica;
    const name = `${topic}-${partition}`;
    const holders = this.opened.filter((directory) => directory.holds(topic, topicId, partition));
    const [holder, other] = holders;
    if (holder !== undefined && other !== undefined) {
      return new EnvError(
        'EXISTS',
        `${name} has a folder both in ${holder.path} and in ${other.path}: stop the broker, move the one that is not to be served out of log.dirs, and start it again`,
      );
    }
    if (holder !== undefined) return holder;
    const [lost] = this.unopened;
    if (lost !== undefined && !isNew) {
      const paths = this.unopened.map(({ path }) => path).join(', ');
      return new EnvError(lost.failure.code, `${name} may be in ${paths}, which could not be opened`);
    }
    if (isCounted && !isNew && named !== ZERO_UUID && !this.opened.some(({ meta }) => meta.directoryId === named)) {
      return new EnvError(
        'NOT_FOUND',
        `${name} was in the log dir with directory.id ${named}, which is not in log.dirs any more, and the cluster counts on what it holds: ` +
          'put that directory back and start the broker again; if it is lost for good, so are these records: delete the topic',
      );
    }
    const { online } = this;
    const [first] = online;
    if (first === undefined) return new EnvError('IO', `no log dir is online to hold ${name}`);
    const countOf = (directory: LogDirectory): number => this.#counts.get(directory) ?? 0;
    return (
      online.find(({ meta }) => meta.directoryId === named) ??
      online.reduce((best, directory) => (countOf(directory) < countOf(best) ? directory : best), first)
    );
  }

  /** A replica came into the directory, or went. */
  count(directory: LogDirectory, by: 1 | -1): void {
    this.#counts.set(directory, (this.#counts.get(directory) ?? 0) + by);
  }
}
