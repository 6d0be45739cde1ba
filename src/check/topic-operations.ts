// S-M9 for topics: creations, deletions and descriptions at controllers. Ids tell one life of a name from the next.
import type { Uuid } from '../base/uuid.ts';
import type { ObjectModel, ObjectOperation, Verdict } from './operations.ts';
import { checkOperations } from './operations.ts';

export type TopicAction =
  /** `topicId`: undefined where nothing was answered. */
  | { readonly type: 'created'; readonly topicId: Uuid | undefined }
  | { readonly type: 'deleted'; readonly topicId: Uuid | undefined }
  /** It was said to be there, with this id where that was said too. */
  | { readonly type: 'present'; readonly topicId: Uuid | undefined }
  | { readonly type: 'absent' };

export type TopicOperation = ObjectOperation<TopicAction>;

const ABSENT = '';
/** The state of a topic whose creation was not answered: any id. */
const UNKNOWN = '?';

const TOPIC: ObjectModel<TopicAction> = {
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
  // A read that is not answered says nothing.
  unanswered: (action) =>
    action.type === 'created' || action.type === 'deleted' ? { type: action.type, topicId: undefined } : action,
  describe: (action) =>
    'topicId' in action ? `${action.type} ${action.topicId?.slice(0, 6) ?? '(some id)'}` : action.type,
};

function isTopic(state: string, topicId: Uuid | undefined): boolean {
  return state !== ABSENT && (topicId === undefined || state === UNKNOWN || state === topicId);
}

export function checkTopicOperations(operations: readonly TopicOperation[]): Verdict {
  return checkOperations('topic', TOPIC, operations);
}
