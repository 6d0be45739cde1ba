// S-M9: creations, deletions and descriptions of topics at controllers are linearizable. Names are independent of each other
// (P-compositionality), so each is searched on its own. Ids tell one life of a name from the next.
import type { Ms } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { groupBy } from './history.ts';
import type { Model, Operation } from './linearizability.ts';
import { isLinearizable } from './linearizability.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export type TopicAction =
  /** `topicId`: undefined where nothing was answered. */
  | { readonly type: 'created'; readonly topicId: Uuid | undefined }
  | { readonly type: 'deleted'; readonly topicId: Uuid | undefined }
  /** It was said to be there, with this id where that was said too. */
  | { readonly type: 'present'; readonly topicId: Uuid | undefined }
  | { readonly type: 'absent' };

/**
 * What one client asked and was told. What was surely refused without a look at the topic is no operation.
 * `invokedAtMs` of an answer from a controller that another one had replaced: when it was replaced.
 */
export interface TopicOperation extends Operation<TopicAction> {
  readonly topic: string;
}

const ABSENT = '';
/** The state of a topic whose creation was not answered: any id. */
const UNKNOWN = '?';

const TOPIC: Model<TopicAction> = {
  initial: ABSENT,
  step(state, action) {
    switch (action.type) {
      case 'created':
        return state === ABSENT ? (action.topicId ?? UNKNOWN) : undefined;
      case 'deleted':
        return isTopic(state, action.topicId) ? ABSENT : undefined;
      case 'present':
        return isTopic(state, action.topicId) ? (action.topicId ?? state) : undefined;
      case 'absent':
        return state === ABSENT ? ABSENT : undefined;
    }
  },
};

function isTopic(state: string, topicId: Uuid | undefined): boolean {
  return state !== ABSENT && (topicId === undefined || state === UNKNOWN || state === topicId);
}

export interface TopicVerdict {
  readonly violation: Violation | undefined;
  /** Names whose history took too long to search. */
  readonly undecided: number;
}

export function checkTopicOperations(operations: readonly TopicOperation[]): TopicVerdict {
  let undecided = 0;
  const found = firstViolation(
    groupBy(operations, ({ topic }) => topic),
    ([topic, its]) => {
      const verdict = isLinearizable(its, TOPIC);
      if (verdict === 'undecided') undecided++;
      if (verdict !== 'no') return undefined;
      return violation('S-M9', `no order explains what was answered about topic ${topic}: ${shortest(its)}`);
    },
  );
  return { violation: found, undecided };
}

/** The beginning that has no order already, for the message. */
function shortest(operations: readonly TopicOperation[]): string {
  const byAnswer = operations
    .filter(({ answeredAtMs }) => answeredAtMs < Number.POSITIVE_INFINITY)
    .toSorted((a, b) => a.answeredAtMs - b.answeredAtMs);
  for (const { answeredAtMs } of byAnswer) {
    const known = operations
      .filter(({ invokedAtMs }) => invokedAtMs <= answeredAtMs)
      .map((operation) => (operation.answeredAtMs <= answeredAtMs ? operation : unanswered(operation)));
    if (isLinearizable(known, TOPIC) === 'no') return known.slice(-8).map(describe).join('; ');
  }
  return operations.slice(-8).map(describe).join('; ');
}

/** The same before its answer: a read that is not answered says nothing. */
function unanswered(operation: TopicOperation): TopicOperation {
  const { type } = operation.action;
  const action: TopicAction =
    type === 'created' || type === 'deleted' ? { type, topicId: undefined } : operation.action;
  return { ...operation, action, answeredAtMs: Number.POSITIVE_INFINITY };
}

function describe({ action, invokedAtMs, answeredAtMs }: TopicOperation): string {
  const id = 'topicId' in action ? ` ${action.topicId?.slice(0, 6) ?? '(some id)'}` : '';
  return `${action.type}${id} ${time(invokedAtMs)}..${time(answeredAtMs)}`;
}

function time(ms: Ms): string {
  return ms === Number.POSITIVE_INFINITY ? 'open' : ms.toFixed(1);
}
