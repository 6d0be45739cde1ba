// One kind of command of the model test: a name, arguments, when it may be given, and what it does.
import type fc from 'fast-check';
import { record } from 'fast-check';
import type { LogModel } from './model.ts';
import type { Subject } from './subject.ts';

export type LogCommand = fc.AsyncCommand<LogModel, Subject>;

export interface Weighted {
  readonly weight: number;
  readonly arbitrary: fc.Arbitrary<LogCommand>;
}

/** `allowed` is asked right before the command would run, with what then is under way. */
export function command<T extends object>(
  name: string,
  args: { [K in keyof T]: fc.Arbitrary<T[K]> },
  allowed: (model: Readonly<LogModel>) => boolean,
  run: (subject: Subject, args: T) => Promise<void>,
): fc.Arbitrary<LogCommand> {
  return record(args).map((values) => ({
    check: allowed,
    async run(_model: LogModel, subject: Subject) {
      await run(subject, values as T);
      await subject.settle();
    },
    toString: () => `${name}(${JSON.stringify(values)})`,
  }));
}

export function always(): boolean {
  return true;
}

/** Where nothing cuts the log: appends and new epochs. */
export function quiet({ truncatingTo }: Readonly<LogModel>): boolean {
  return truncatingTo === undefined;
}
