// What holds of an image without any wait, though safety.md has it as liveness (of L-M1): who can lead, leads.
import type { NodeId } from '../../../src/base/ids.ts';
import type { Violation } from '../../../src/check/violation.ts';
import { violation } from '../../../src/check/violation.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { isActive } from '../../../src/metadata/image.ts';

/** C-5.2, C-5.3: a partition with an active member of its ISR, or where that is empty of its ELR, on an online disk has a leader. `leaving`: a broker that is being moved out. */
export function checkElected(image: MetadataImage, leaving?: NodeId): Violation | undefined {
  for (const { name, partitions } of image.topics.values()) {
    for (const [partition, { isr, elr, leader, replicas, directories }] of partitions.entries()) {
      if (leader !== -1) continue;
      for (const id of isr.length > 0 ? isr : elr) {
        const broker = image.brokers.get(id);
        const directory = directories[replicas.indexOf(id)] ?? '';
        const isOnline = /^A+$/.test(directory) || broker?.logDirs.includes(directory) === true;
        if (!isActive(broker) || !isOnline || id === leaving) continue;
        return violation('L-M1', `${name}-${partition} has no leader though broker ${id} is active`);
      }
    }
  }
  return undefined;
}
