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
  /** Of the file. */
  readonly path: string;
  readonly #env: RecorderEnv;
  readonly #nodeId: NodeId;
  readonly #file: DiskFile;
  readonly #maxBytes: number;
  #bytes = 0;
  #recording = true;
  #event = '';
  #draws: RecordedDraw[] = [];

  private constructor(env: RecorderEnv, nodeId: NodeId, file: DiskFile, maxBytes: number) {
    this.#env = env;
    this.#nodeId = nodeId;
    this.path = file.path;
    this.#file = file;
    this.#maxBytes = maxBytes;
  }

  /** Begins a file in `directory`, which is made if missing. EnvError. */
  static async open(env: RecorderEnv, directory: string, nodeId: NodeId, maxBytes: number): Promise<CoreRecorder> {
    await env.disk.makeDirectory(directory);
    const file = await newFile(env.disk, `${directory}/quorum-${nodeId}-${env.clock.wallTime()}`);
    env.logger.info('recording', { path: file.path, maxBytes });
    return new CoreRecorder(env, nodeId, file, maxBytes);
  }

  config(config: RaftConfig): void {
    const wallTime = this.#env.clock.wallTime();
    this.#write(headerLine({ format: RECORDING_FORMAT, nodeId: this.#nodeId, wallTime, config }));
  }

  event(event: RaftEvent): void {
    if (this.#recording) this.#event = toJson(event);
  }

  draw(key: string, bound: number, value: number): void {
    if (this.#recording) this.#draws.push([key, bound, value]);
  }

  effects(effects: readonly RaftEffect[]): void {
    if (!this.#recording) return;
    this.#write(stepLine(this.#event, this.#draws, effects));
    this.#draws = [];
  }

  async close(): Promise<void> {
    this.#recording = false;
    await this.#file.close();
  }

  #write(line: string): void {
    if (!this.#recording) return;
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes + bytes.length > this.#maxBytes) {
        const reason = 'quorum.record.max.bytes is reached';
        this.#file.write([Buffer.from(endLine(reason))], this.#bytes);
        this.#end(reason);
        return;
      }
      const written = this.#file.write([bytes], this.#bytes);
      this.#bytes += written;
      if (written < bytes.length) this.#end('the disk is full');
    } catch (error) {
      if (!isEnvError(error)) throw error;
      this.#end(error.message);
    }
  }

  #end(reason: string): void {
    this.#recording = false;
    this.#env.logger.warn('recording-ended', { path: this.path, bytes: this.#bytes, reason });
  }
}

/** `<name>.ndjson`, or with a number where an incarnation began in the same millisecond. */
async function newFile(disk: Disk, name: string): Promise<DiskFile> {
  for (let n = 0; ; n++) {
    try {
      return await disk.open(n === 0 ? `${name}.ndjson` : `${name}-${n}.ndjson`, 'create');
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
