// Bit rot (M-2, D-10.4): one bit of a log file flips while nobody runs. What lies behind it was never torn: the start refuses the
// log, or all of it is there and a reader sees by the CRC what is rotten. Nothing is cut silently but the very last batch, which
// looks as a torn one does.
import { isEnvError } from '../../../src/env/error.ts';
import type { BatchHeader } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { must } from './broken.ts';
import type { Subject } from './subject.ts';
import { FOLDER } from './subject.ts';

/** To be the end of a run: the model knows no rot. */
export async function rot(subject: Subject): Promise<void> {
  const { world, model } = subject;
  world.crash('kill');
  world.simDisk.forgetFailures();
  const { random } = world.scheduler;
  const files = world.simDisk.tree.directory(FOLDER).entries;
  const names = [...files.keys()].filter((name) => name.endsWith('.log') && contentOf(subject, name).length > 0);
  const name = names[random.below('rot', Math.max(1, names.length))];
  if (name === undefined) return;
  const content = contentOf(subject, name);
  const position = random.below('rot', content.length);
  const hit = [...splitBatches(content)].find((batch) => position < batch.end);
  world.simDisk.corrupt(`${FOLDER}/${name}`, position, 1 << random.below('rot', 8));
  const { end } = model;
  try {
    await world.finish(subject.openOnce());
  } catch (error) {
    if (!isEnvError(error, 'CORRUPT')) throw error;
    must('S-D11', error.message.includes(FOLDER), () => `a damaged log is refused without its place: ${error.message}`);
    return subject.count('rot refused');
  }
  const { logEndOffset } = subject.log;
  const isLast = hit !== undefined && hit.nextOffset >= end;
  must('S-D1', logEndOffset === end || isLast, () => {
    return `a bit at ${position} of ${name} flipped, and the log ends at ${logEndOffset} instead of ${end}`;
  });
  subject.count(logEndOffset < end ? 'rotten end cut' : 'rot let in');
  if (logEndOffset === end) await readRotten(subject);
}

function contentOf({ world }: Subject, name: string): Buffer {
  return world.simDisk.contentOf(`${FOLDER}/${name}`);
}

/** Whoever checks the CRC, as all readers do, gets nothing that was not written. */
async function readRotten({ world, log, model }: Subject): Promise<void> {
  const written = new Set(model.history.map(({ bytes }) => bytes.subarray(21).toString('latin1')));
  for (let offset = log.logStartOffset; offset < model.end; ) {
    let found: BatchHeader[];
    try {
      found = [...splitBatches(await world.finish(log.read(offset, 700, model.end, true)))];
    } catch (error) {
      if (isEnvError(error, 'CORRUPT')) return;
      throw error;
    }
    const last = found.at(-1);
    if (last === undefined || last.nextOffset <= offset) return;
    for (const batch of found) {
      const isKnown = batch.computeCrc() !== batch.crc || written.has(batch.bytes.subarray(21).toString('latin1'));
      must('S-D11', isKnown || model.cleanedBelow > 0, () => `a batch at ${batch.baseOffset} that nobody wrote`);
    }
    offset = last.nextOffset;
  }
}
