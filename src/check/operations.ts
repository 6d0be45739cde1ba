// S-M9: what administrators ask of controllers, and are told, is linearizable. Objects (topics, config keys, partition counts) are
// independent of each other (P-compositionality), so each is searched on its own.
import type { Ms } from '../base/ids.ts';
import { groupBy } from './history.ts';
import type { Model, Operation } from './linearizability.ts';
import { isLinearizable } from './linearizability.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

/**
 * What one client asked and was told. What was surely refused without a look at the object is no operation.
 * `invokedAtMs` of an answer from a controller that another one had replaced: when it was replaced.
 */
export interface ObjectOperation<Action> extends Operation<Action> {
  /** Name of the object. */
  readonly object: string;
}

export interface ObjectModel<Action> extends Model<Action> {
  /** What is known of an action before its answer. */
  unanswered(action: Action): Action;
  describe(action: Action): string;
}

export interface Verdict {
  readonly violation: Violation | undefined;
  /** Objects whose history took too long to search. */
  readonly undecided: number;
}

export function checkOperations<Action>(
  what: string,
  model: ObjectModel<Action>,
  operations: readonly ObjectOperation<Action>[],
): Verdict {
  let undecided = 0;
  const found = firstViolation(
    groupBy(operations, ({ object }) => object),
    ([object, its]) => {
      const verdict = isLinearizable(its, model);
      if (verdict === 'undecided') undecided++;
      if (verdict !== 'no') return undefined;
      return violation('S-M9', `no order explains what was answered about ${what} ${object}: ${shortest(its, model)}`);
    },
  );
  return { violation: found, undecided };
}

/** The beginning that has no order already, for the message. */
function shortest<Action>(operations: readonly ObjectOperation<Action>[], model: ObjectModel<Action>): string {
  const describe = ({ action, invokedAtMs, answeredAtMs }: Operation<Action>): string =>
    `${model.describe(action)} ${time(invokedAtMs)}..${time(answeredAtMs)}`;
  const byAnswer = operations
    .filter(({ answeredAtMs }) => answeredAtMs < Number.POSITIVE_INFINITY)
    .toSorted((a, b) => a.answeredAtMs - b.answeredAtMs);
  for (const { answeredAtMs } of byAnswer) {
    const known = operations
      .filter(({ invokedAtMs }) => invokedAtMs <= answeredAtMs)
      .map((operation) => (operation.answeredAtMs <= answeredAtMs ? operation : open(operation, model)));
    if (isLinearizable(known, model) === 'no') return known.slice(-8).map(describe).join('; ');
  }
  return operations.slice(-8).map(describe).join('; ');
}

function open<Action>(operation: ObjectOperation<Action>, model: ObjectModel<Action>): ObjectOperation<Action> {
  return { ...operation, action: model.unanswered(operation.action), answeredAtMs: Number.POSITIVE_INFINITY };
}

function time(ms: Ms): string {
  return ms === Number.POSITIVE_INFINITY ? 'open' : ms.toFixed(1);
}
