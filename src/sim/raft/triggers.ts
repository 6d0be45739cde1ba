// Faults at protocol events (safety.md 8.6): counts the occurrences and schedules what a trigger asks for. Nothing happens
// inside the step that caused it.
import type { TriggerEvent } from './scenario.ts';
import type { SimNode, World } from './world.ts';
import { isFaulty } from './world.ts';

export function noteOccurrence(world: World, node: SimNode, event: TriggerEvent): void {
  if (!isFaulty(world) || world.fired.length === 0) return;
  const count = (world.occurrences.get(event) ?? 0) + 1;
  world.occurrences.set(event, count);
  const { triggers } = world.scenario;
  for (let i = 0; i < triggers.length; i++) {
    const trigger = triggers[i];
    if (trigger === undefined || trigger.on !== event || count % trigger.nth !== 0) continue;
    if ((world.fired[i] ?? 0) >= trigger.times) continue;
    world.fired[i] = (world.fired[i] ?? 0) + 1;
    const target = (node.view.id + trigger.node) % world.nodes.length;
    world.queue.push(world.now + Math.round(trigger.delayMs * 1000), { kind: 'fault', action: trigger, node: target });
  }
}
