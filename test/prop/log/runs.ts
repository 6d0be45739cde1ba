// One run of the model test: a fresh disk, the commands, and at the end a power cut, a kill and rot.
import fc from 'fast-check';
import type { LogCommand } from './command.ts';
import { rot } from './rot.ts';
import type { SubjectOptions } from './subject.ts';
import { Subject } from './subject.ts';

/** How many events it took. Broken if a property does not hold. `met` counts what happened. */
export async function runCommands(
  options: SubjectOptions,
  steps: Iterable<LogCommand>,
  met: Map<string, number>,
): Promise<number> {
  const subject = new Subject(options, met);
  await subject.start();
  await fc.asyncModelRun(() => ({ model: subject.model, real: subject }), steps);
  await subject.restart('power-cut');
  await subject.restart('kill');
  await rot(subject);
  return subject.world.scheduler.executed;
}
