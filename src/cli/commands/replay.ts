// `kvorum quorum replay`: recorded cores run again, their answers compared, and the run judged.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { RaftEffect } from '../../raft/types.ts';
import { StartError } from '../../server/start-error.ts';
import { describeEffect } from '../../sim/raft/driver.ts';
import type { MergedStep } from '../../sim/recorded/merge.ts';
import { RecordedLife, RecordingError } from '../../sim/recorded/recorded-life.ts';
import { replay } from '../../sim/recorded/replay.ts';
import type { ReplayOptions } from '../options.ts';

export async function replayRecordings(files: readonly string[], options: ReplayOptions): Promise<void> {
  try {
    const lives = await Promise.all(files.map((file) => RecordedLife.open(file, linesOf(file))));
    const { steps, problem, remarks } = await replay(lives, options.trace === true ? printStep : () => {});
    for (const [life, count] of steps) {
      const { nodeId, wallTime } = life.header;
      console.log(`${life.name}: node ${nodeId} from ${new Date(wallTime).toISOString()}, ${count} steps`);
    }
    for (const remark of remarks) console.log(remark);
    console.log(problem ?? 'Every step was answered as recorded, and no safety property that was judged is violated.');
    if (problem !== undefined) process.exitCode = 1;
  } catch (error) {
    if (error instanceof RecordingError) throw new StartError(error.message, error);
    throw error;
  }
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file);
  const failed = new Promise<never>((_resolve, reject) => {
    input.once('error', (error) => reject(new StartError(`the recording cannot be read: ${error.message}`, error)));
  });
  failed.catch(() => undefined);
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
  for (;;) {
    const result: IteratorResult<string, unknown> = await Promise.race([lines.next(), failed]);
    if (result.done === true) return;
    yield result.value;
  }
}

function printStep({ life, at, event, effects }: MergedStep): void {
  const head = `${new Date(at).toISOString()} ${life.header.nodeId}`;
  console.log(`${head} ${describeEffect(event)}`);
  for (const effect of effects) if (isWorthALine(effect)) console.log(`${head}   -> ${describeEffect(effect)}`);
}

function isWorthALine({ type }: RaftEffect): boolean {
  return type !== 'setTimer' && type !== 'cancelTimer';
}
