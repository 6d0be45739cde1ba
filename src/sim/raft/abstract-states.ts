// Distinct abstract states of a run (safety.md 8.10): roles, epochs, log ends and high watermarks of all nodes by their order
// alone, whichever node is which. A plateau over more seeds says that this swarm goes nowhere new.
import type { RoleName } from '../../raft/types.ts';
import type { NodeView } from './ghost.ts';
import { isVoter } from './ghost.ts';
import { FNV_START, foldNumber } from './hash.ts';
import { wholeOf } from './log-entry.ts';

const ROLES: readonly (RoleName | undefined)[] = [
  undefined,
  'unattached',
  'prospective',
  'candidate',
  'leader',
  'resigned',
  'follower',
];

export class AbstractStates {
  readonly #seen = new Set<number>();

  /** By hash. */
  get seen(): ReadonlySet<number> {
    return this.#seen;
  }

  note(nodes: readonly NodeView[]): void {
    const codes: number[] = [];
    for (const node of nodes) codes.push(codeOf(node, nodes));
    codes.sort((a, b) => a - b);
    let hash = FNV_START;
    for (const code of codes) hash = foldNumber(hash, code);
    this.#seen.add(hash);
  }
}

function codeOf(node: NodeView, nodes: readonly NodeView[]): number {
  const own = wholeOf(node.disk.written);
  let epochs = 0;
  let ends = 0;
  let highWatermarks = 0;
  let changes = 0;
  for (const other of nodes) {
    const whole = wholeOf(other.disk.written);
    epochs = Math.max(epochs, Math.min(3, other.epoch - node.epoch));
    if (whole.epoch > own.epoch || (whole.epoch === own.epoch && whole.endOffset > own.endOffset)) ends++;
    if (other.highWatermark > node.highWatermark) highWatermarks++;
    changes = Math.max(changes, Math.min(1, whole.voterRecords - own.voterRecords));
  }
  const role = node.alive ? ROLES.indexOf(node.role) : 7;
  const flags =
    (isVoter(node) ? 1 : 0) +
    (node.disk.pending.length > 0 ? 2 : 0) +
    (node.disk.written.start.ordinal > own.ordinal - 3 && own.ordinal > 3 ? 4 : 0) +
    (node.claimEpoch >= 0 ? 8 : 0);
  return ((((role * 4 + epochs) * 8 + ends) * 8 + highWatermarks) * 2 + changes) * 16 + flags;
}
