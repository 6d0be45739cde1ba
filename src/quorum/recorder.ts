// Writes what a core hears and draws to a file (`quorum.record.dir`), one per incarnation. A line is in the page cache before
// the effects of its step are carried out: the end of the process loses nothing. Never stops or slows the node for the disk's
// sake: at its size limit, or when the disk refuses, it says so and records no more.
import type { NodeId } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { isEnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { RaftConfig, RaftEffect, RaftEvent } from '../raft/types.ts';
import type { CoreTrace } from './core-trace.ts';
import type { RecordedDraw } from './recording.ts';
import { endLine, headerLine, RECORDING_FORMAT, stepLine, toJson } from './recording.ts';

interface RecorderEnv {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class CoreRecorder implements CoreTrace {
  readonly #env: RecorderEnv;
  readonly #directory: string;
  readonly #nodeId: NodeId;
  readonly #maxBytes: number;
  #file: DiskFile | undefined;
  #bytes = 0;
  #event = '';
  #draws: RecordedDraw[] = [];

  private constructor(env: RecorderEnv, directory: string, nodeId: NodeId, maxBytes: number) {
    this.#env = env;
    this.#directory = directory;
    this.#nodeId = nodeId;
    this.#maxBytes = maxBytes;
  }

  /** Makes `directory` if it is missing; the file is there once there is something to record. EnvError. */
  static async open(env: RecorderEnv, directory: string, nodeId: NodeId, maxBytes: number): Promise<CoreRecorder> {
    await env.disk.makeDirectory(directory);
    return new CoreRecorder(env, directory, nodeId, maxBytes);
  }

  /** Of the file; undefined while nothing is being recorded. */
  get path(): string | undefined {
    return this.#file?.path;
  }

  config(config: RaftConfig): void {
    const { disk, clock, logger } = this.#env;
    const wallTime = clock.wallTime();
    const name = `${this.#directory}/quorum-${this.#nodeId}-${wallTime}`;
    try {
      this.#file = newFile(disk, name);
    } catch (error) {
      if (!isEnvError(error)) throw error;
      logger.warn('recording-ended', { path: name, bytes: 0, reason: error.message });
      return;
    }
    logger.info('recording', { path: this.#file.path, maxBytes: this.#maxBytes });
    this.#write(headerLine({ format: RECORDING_FORMAT, nodeId: this.#nodeId, wallTime, config }));
  }

  event(event: RaftEvent): void {
    if (this.#file !== undefined) this.#event = toJson(event);
  }

  draw(key: string, bound: number, value: number): void {
    if (this.#file !== undefined) this.#draws.push([key, bound, value]);
  }

  effects(effects: readonly RaftEffect[]): void {
    if (this.#file === undefined) return;
    this.#write(stepLine(this.#event, this.#draws, effects));
    this.#draws = [];
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #write(line: string): void {
    const file = this.#file;
    if (file === undefined) return;
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes + bytes.length > this.#maxBytes) {
        const reason = 'quorum.record.max.bytes is reached';
        file.write([Buffer.from(endLine(reason))], this.#bytes);
        this.#end(file, reason);
        return;
      }
      const written = file.write([bytes], this.#bytes);
      this.#bytes += written;
      if (written < bytes.length) this.#end(file, 'the disk is full');
    } catch (error) {
      if (!isEnvError(error)) throw error;
      this.#end(file, error.message);
    }
  }

  #end(file: DiskFile, reason: string): void {
    this.#file = undefined;
    this.#env.logger.warn('recording-ended', { path: file.path, bytes: this.#bytes, reason });
    // Whether closing fails too does not matter any more.
    file.close().catch(() => undefined);
  }
}

/** `<name>.ndjson`, or with a number where an incarnation began in the same millisecond. */
function newFile(disk: Disk, name: string): DiskFile {
  for (let n = 0; ; n++) {
    try {
      return disk.openNow(n === 0 ? `${name}.ndjson` : `${name}-${n}.ndjson`, 'create');
    } catch (error) {
      if (!isEnvError(error, 'EXISTS')) throw error;
    }
  }
}

/** Both hear everything, in this order. */
export function tracesOf(first: CoreTrace | undefined, second: CoreTrace | undefined): CoreTrace | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  return {
    config(config) {
      first.config(config);
      second.config(config);
    },
    draw(key, bound, value) {
      first.draw(key, bound, value);
      second.draw(key, bound, value);
    },
    event(event) {
      first.event(event);
      second.event(event);
    },
    effects(effects) {
      first.effects(effects);
      second.effects(effects);
    },
  };
}
