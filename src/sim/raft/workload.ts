// The client of a run: proposes numbered records at whichever node claims to lead, sometimes at one that does not.
import { feed, localNow } from './driver.ts';
import { recordsHash } from './hash.ts';
import type { SimNode, World } from './world.ts';

export function clientTick(world: World, count: number): void {
  const { workload } = world.scenario;
  if (world.phase !== 'faults' && world.phase !== 'bootstrap') return;
  for (let i = 0; i < count; i++) {
    const node = pickNode(world);
    if (node !== undefined) propose(world, node, node.view.claimEpoch >= 0 ? node.view.claimEpoch : node.view.epoch);
  }
  scheduleClient(world, workload.burst);
}

export function scheduleClient(world: World, count: number): void {
  const { intervalMs } = world.scenario.workload;
  if (intervalMs === 0) return;
  const waitUs = 1 + world.client.below(Math.round(intervalMs * 2000));
  world.queue.push(world.now + waitUs, { kind: 'propose', count });
}

/** Somebody who claims, more than one if there are; in `strayPermille` anybody. */
function pickNode(world: World): SimNode | undefined {
  const { nodes } = world;
  const first = world.client.below(nodes.length);
  const stray = world.client.chance(world.scenario.workload.strayPermille);
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[(first + i) % nodes.length] as SimNode;
    if (node.view.alive && (stray || node.view.claimEpoch >= 0)) return node;
  }
  return undefined;
}

/** Returns the token. */
export function propose(world: World, node: SimNode, claimEpoch: number): number {
  const token = world.nextToken++;
  const { maxRecords, maxRecordBytes } = world.scenario.workload;
  const records: Uint8Array[] = [];
  for (let left = 1 + world.client.below(maxRecords); left > 0; left--) {
    const record = new Uint8Array(5 + world.client.below(Math.max(1, maxRecordBytes - 4)));
    new DataView(record.buffer).setUint32(0, token);
    record[record.length - 1] = left;
    records.push(record);
  }
  node.proposing.set(token, recordsHash(0, records));
  feed(world, node, { type: 'propose', now: localNow(world, node), token, claimEpoch, records });
  return token;
}
