// One recording, read line by line: the life of one core, as far as lines can be read.
import type { RecordedHeader, RecordedStep } from '../../quorum/recording.ts';
import { parseEnd, parseHeader, parseStep } from '../../quorum/recording.ts';
import type { DurableState } from '../../raft/types.ts';
import { CoreReplay } from './core-replay.ts';

/** A file that is no recording, with its name, the line and the reason. */
export class RecordingError extends Error {
  override name = 'RecordingError';
}

export class RecordedLife {
  /** For messages. */
  readonly name: string;
  readonly header: RecordedHeader;
  /** What the disk held when it began. */
  readonly durable: DurableState;
  readonly replay: CoreReplay;
  readonly #lines: AsyncIterator<string>;
  #line = 2;
  #first: RecordedStep | undefined;
  #ended: string | undefined;

  private constructor(
    name: string,
    header: RecordedHeader,
    first: RecordedStep & { event: { durable: DurableState } },
    lines: AsyncIterator<string>,
  ) {
    this.name = name;
    this.header = header;
    this.durable = first.event.durable;
    this.replay = new CoreReplay(header.config);
    this.#first = first;
    this.#lines = lines;
  }

  /** `lines`: of the file, without their ends. RecordingError. */
  static async open(name: string, lines: AsyncIterable<string>): Promise<RecordedLife> {
    const iterator = lines[Symbol.asyncIterator]();
    const header = parsed(name, 1, parseHeader, (await readLine(iterator)) ?? '');
    const first = parsed(name, 2, parseStep, (await readLine(iterator)) ?? '');
    const { event } = first;
    if (event.type !== 'start') throw new RecordingError(`${name}:2: the first event is ${event.type}, not start`);
    return new RecordedLife(name, header, { ...first, event }, iterator);
  }

  /** Why nothing more was recorded while the node went on; undefined if the recording ends with the node, or is not read to its end. */
  get ended(): string | undefined {
    return this.#ended;
  }

  /** Undefined at the end. */
  async next(): Promise<RecordedStep | undefined> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    if (this.#ended !== undefined) return undefined;
    const line = await readLine(this.#lines);
    if (line === undefined) return undefined;
    this.#line++;
    try {
      const end = parseEnd(line);
      if (end === undefined) return parseStep(line);
      this.#ended = end;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Recordings are not synced: this is how one looks after a power cut.
      this.#ended = `line ${this.#line} is damaged, as after a power cut: ${error.message}`;
    }
    return undefined;
  }
}

async function readLine(lines: AsyncIterator<string>): Promise<string | undefined> {
  const result: IteratorResult<string, unknown> = await lines.next();
  return result.done === true ? undefined : result.value;
}

function parsed<T>(name: string, line: number, parse: (text: string) => T, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RangeError) {
      throw new RecordingError(`${name}:${line}: ${error.message}; leave this file out`, { cause: error });
    }
    throw error;
  }
}
