// Who was the active controller when, as the harness knows it: by this, answers of a controller are told from those of one that
// another had already replaced and that did not know it yet.
import type { Epoch, Ms, NodeId } from '../../base/ids.ts';

export interface Reign {
  readonly nodeId: NodeId;
  readonly epoch: Epoch;
  readonly fromMs: Ms;
  /** Infinity while it lasts. */
  toMs: Ms;
}

export class Reigns {
  readonly #elected = new Map<Epoch, Ms>();
  readonly #claims: Reign[] = [];

  /** A node leads the quorum in `epoch`. */
  elected(epoch: Epoch, atMs: Ms): void {
    if (!this.#elected.has(epoch)) this.#elected.set(epoch, atMs);
  }

  /** Its state machine was told. */
  claimed(nodeId: NodeId, epoch: Epoch, atMs: Ms): void {
    this.#claims.push({ nodeId, epoch, fromMs: atMs, toMs: Number.POSITIVE_INFINITY });
  }

  /** The claim of this node, if it has one, is over. */
  over(nodeId: NodeId, atMs: Ms): void {
    for (const claim of this.#claims) if (claim.nodeId === nodeId) claim.toMs = Math.min(claim.toMs, atMs);
  }

  /** The first claim of this node that was in force at some time of the interval. */
  during(nodeId: NodeId, fromMs: Ms, toMs: Ms): Reign | undefined {
    return this.#claims.find((claim) => claim.nodeId === nodeId && claim.fromMs <= toMs && claim.toMs >= fromMs);
  }

  /** When a later epoch got a leader; Infinity if none did. What was committed before that, the claim of `epoch` has seen. */
  replacedAt(epoch: Epoch): Ms {
    let at = Number.POSITIVE_INFINITY;
    for (const [later, atMs] of this.#elected) if (later > epoch) at = Math.min(at, atMs);
    return at;
  }
}
