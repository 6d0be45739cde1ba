// Tells the active controller which log dir holds each replica, where the metadata does not say so (KIP-858): so that what is lost with
// a log dir among several is known. Many in one call, again until they are answered; whoever tells of one twice tells of it once.
import type { Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { ControllerChannel } from '../client/controller-channel.ts';
import type { Clock } from '../env/clock.ts';
import type { Logger } from '../env/logger.ts';
import { RpcError } from '../env/network.ts';
import type { AssignReplicasToDirsResponse, ReplicaDirectory } from '../gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Service } from '../gen/kvorum/v1/controller.ts';

export interface ReplicaDirectoriesDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly controller: ControllerChannel;
  readonly brokerId: NodeId;
  readonly brokerEpoch: () => Offset;
  readonly requestTimeoutMs: Ms;
}

/** Of one call, well below what the controller takes (C-0.6). */
const MAX_PER_CALL = 1000;
/** Before what was not carried out is asked for again. */
const RETRY_MS: Ms = 500;

export class ReplicaDirectories {
  readonly #deps: ReplicaDirectoriesDeps;
  /** Not answered yet, by replica. */
  readonly #pending = new Map<string, ReplicaDirectory>();
  #telling: Promise<void> | undefined;
  #stopped = false;
  /** Ends a pause at once. */
  #wake: () => void = () => {};

  constructor(deps: ReplicaDirectoriesDeps) {
    this.#deps = deps;
  }

  tell(replica: ReplicaDirectory): void {
    if (this.#stopped) return;
    this.#pending.set(keyOf(replica), replica);
    this.#telling ??= this.#tellAll();
  }

  /** Resolves when nothing of that log dir is to be told any more. */
  async told(directoryId: Uuid): Promise<void> {
    const isPending = (): boolean =>
      [...this.#pending.values()].some((replica) => replica.directoryId === directoryId) && !this.#stopped;
    while (isPending() && this.#telling !== undefined) await this.#telling;
  }

  stop(): void {
    this.#stopped = true;
    this.#pending.clear();
    this.#wake();
  }

  async #tellAll(): Promise<void> {
    await Promise.resolve(); // what is told of now goes along
    while (this.#pending.size > 0) {
      const replicas = [...this.#pending.values()].slice(0, MAX_PER_CALL);
      const left = await this.#tellSome(replicas);
      if (left > 0 && !this.#stopped) await this.#pause();
    }
    this.#telling = undefined;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#deps.clock.schedule(RETRY_MS, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** How many of them are to be told of again. */
  async #tellSome(replicas: readonly ReplicaDirectory[]): Promise<number> {
    const { controller, brokerId, brokerEpoch, requestTimeoutMs, logger } = this.#deps;
    const request = { brokerId, brokerEpoch: brokerEpoch(), replicas: [...replicas] };
    try {
      const { assignReplicasToDirs } = Service.methods;
      const options = { patient: true };
      this.#answered(
        replicas,
        await controller.call(Service, assignReplicasToDirs, request, requestTimeoutMs, options),
      );
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      // Another process is the broker now, or the cluster does not know of log dirs: nothing that asking again would change.
      const isVerdict = error.status === 'ABORTED' || error.status === 'INVALID_ARGUMENT';
      if (isVerdict) this.#forget(replicas);
      if (!this.#stopped) logger.warn('log-dirs-not-told', { replicas: replicas.length, reason: error.message });
    }
    return replicas.filter((replica) => this.#pending.get(keyOf(replica)) === replica).length;
  }

  /** What is refused is of a replica that is gone, or of a log dir that is: the metadata says what comes of that. */
  #answered(replicas: readonly ReplicaDirectory[], { replicas: answers }: AssignReplicasToDirsResponse): void {
    this.#forget(replicas.filter((_, i) => answers[i]?.error?.name !== 'OPERATION_NOT_ATTEMPTED'));
  }

  /** Unless something else was told of them meanwhile. */
  #forget(replicas: readonly ReplicaDirectory[]): void {
    for (const replica of replicas) {
      if (this.#pending.get(keyOf(replica)) === replica) this.#pending.delete(keyOf(replica));
    }
  }
}

function keyOf({ topicId, partition }: ReplicaDirectory): string {
  return `${topicId}/${partition}`;
}
