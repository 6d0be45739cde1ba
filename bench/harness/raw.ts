// The raw broker as seen from the load: its process, its port, its three kinds of request.
import { join } from 'node:path';
import { benchProcess, startNodeProcess } from './process.ts';
import type { Scope } from './scope.ts';

export interface RawBroker {
  readonly pid: number;
  readonly port: number;
}

export async function startRawBroker(scope: Scope, mode: 'async' | 'sync'): Promise<RawBroker> {
  const started = startNodeProcess(scope, [...benchProcess('raw-broker.ts'), join(scope.folder(), 'log'), mode]);
  return { pid: started.pid, port: Number(await started.firstLine) };
}

/** A frame with this content. */
export function rawWrite(content: Buffer): Buffer {
  const frame = Buffer.alloc(4 + content.length);
  frame.writeInt32BE(content.length, 0);
  content.copy(frame, 4);
  return frame;
}

export function rawRead(position: number, length: number): Buffer {
  const frame = Buffer.alloc(12);
  frame.writeInt32BE(8, 0);
  frame.writeInt32BE(position, 4);
  frame.writeInt32BE(length, 8);
  return frame;
}

export const RAW_EMPTY: Buffer = rawWrite(Buffer.alloc(4));
