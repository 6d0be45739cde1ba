// Requests at a fixed rate, whether or not those before were answered, and how long each answer took.
import type { FrameClient } from './frame-client.ts';

/** A frame and all who get it: the batch is answered when the last of them has answered. */
export interface PacedSender {
  readonly clients: readonly FrameClient[];
  readonly frame: Buffer;
}

interface Batch {
  readonly sentMs: number;
  /** Answers to come. */
  left: number;
}

/** `perSecond` requests over all senders in turn; milliseconds from each request's sending to its answer. */
export async function producePaced(
  senders: readonly PacedSender[],
  load: { readonly perSecond: number; readonly seconds: number; check(answer: Buffer): void },
): Promise<number[]> {
  const latencies: number[] = [];
  const total = Math.round(load.perSecond * load.seconds);
  const waiting = new Map<FrameClient, Batch[]>();
  const startedMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    for (const client of senders.flatMap(({ clients }) => clients)) {
      const batches: Batch[] = [];
      waiting.set(client, batches);
      client.onFailure = reject;
      client.onFrame = (answer) => {
        load.check(answer);
        const batch = batches.shift();
        if (batch === undefined || --batch.left > 0) return;
        latencies.push(performance.now() - batch.sentMs);
        if (latencies.length === total) resolve();
      };
    }
    let sent = 0;
    const send = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - startedMs) / 1000) * load.perSecond) + 1);
      for (; sent < due; sent++) {
        const { clients, frame } = senders[sent % senders.length] as PacedSender;
        const batch = { sentMs: performance.now(), left: clients.length };
        for (const client of clients) {
          waiting.get(client)?.push(batch);
          client.send(frame);
        }
      }
      if (sent < total) setTimeout(send, 1);
    };
    send();
  });
  return latencies;
}
