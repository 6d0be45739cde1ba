// S-M9 for configs and for numbers of partitions: a config key is a register, a number of partitions only grows.
import type { ObjectModel, ObjectOperation, Verdict } from './operations.ts';
import { checkOperations } from './operations.ts';

export type ConfigAction =
  /** Values are used once. */
  | { readonly type: 'set'; readonly value: string }
  | { readonly type: 'reset' }
  /** What was described; undefined: it is not set on the object. */
  | { readonly type: 'is'; readonly value: string | undefined };

const NOT_SET = '';

const CONFIG: ObjectModel<ConfigAction> = {
  initial: NOT_SET,
  step(state, action) {
    if (action.type === 'set') return action.value;
    if (action.type === 'reset') return NOT_SET;
    return state === (action.value ?? NOT_SET) ? state : undefined;
  },
  unanswered: (action) => action,
  describe: (action) => ('value' in action ? `${action.type} ${action.value ?? '(default)'}` : action.type),
};

/** No key is set at the beginning. */
export function checkConfigOperations(operations: readonly ObjectOperation<ConfigAction>[]): Verdict {
  return checkOperations('config', CONFIG, operations);
}

export type CountAction =
  | { readonly type: 'grown'; readonly to: number }
  /** There were so many already. */
  | { readonly type: 'refused'; readonly to: number }
  | { readonly type: 'counted'; readonly count: number };

const COUNT: ObjectModel<CountAction> = {
  initial: '1',
  step(state, action) {
    const count = Number(state);
    if (action.type === 'grown') return count < action.to ? String(action.to) : undefined;
    if (action.type === 'refused') return count >= action.to ? state : undefined;
    return count === action.count ? state : undefined;
  },
  unanswered: (action) => action,
  describe: (action) => `${action.type} ${'to' in action ? action.to : action.count}`,
};

/** Topics begin with one partition. */
export function checkCountOperations(operations: readonly ObjectOperation<CountAction>[]): Verdict {
  return checkOperations('partitions of', COUNT, operations);
}
