// The node's committed image as the quorum's state machine: what every node runs. A controller adds its claims, a node that
// only follows has none.
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { StateMachine } from '../quorum/state-machine.ts';

/** To be given to `Quorum.start`. */
export function metadataStateMachine(
  publisher: MetadataPublisher,
  leadership: Pick<StateMachine, 'leaderChanged'> & Partial<Pick<StateMachine, 'apply' | 'claim' | 'renounce'>>,
): StateMachine {
  return {
    apply: (batch) => publisher.apply(batch),
    load: (end, chunks) => publisher.load(end, chunks),
    snapshot: () => publisher.snapshot(),
    claim: () => {},
    renounce: () => {},
    ...leadership,
  };
}
