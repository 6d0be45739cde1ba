// The two loads: produce with some requests in flight, fetch one after the other. Either against anything that answers frames.
import type { FrameClient } from './frame-client.ts';
import { cpuSeconds } from './process.ts';

/** One repetition, and what it cost the server. */
export interface LoadResult {
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGigabyte: number;
}

/** No repetition moves more than this, so that the page cache holds it all. */
const MAX_BYTES = 1.5e9;

interface Run {
  /** What takes part in the rate, per answer. */
  bytes: number;
  readonly startedMs: number;
  readonly cpuBefore: number;
}

function begin(pid: number): Run {
  return { bytes: 0, startedMs: performance.now(), cpuBefore: cpuSeconds(pid) };
}

function end(run: Run, pid: number): LoadResult {
  const seconds = (performance.now() - run.startedMs) / 1000;
  return {
    megabytesPerSecond: run.bytes / 1e6 / seconds,
    cpuSecondsPerGigabyte: (cpuSeconds(pid) - run.cpuBefore) / (run.bytes / 1e9),
  };
}

const IN_FLIGHT = 5;

/** Sends `frame`, which carries `bytes` of payload, over and over, five at a time, for so long or so much. */
export function produceFor(
  client: FrameClient,
  pid: number,
  load: {
    readonly frame: Buffer;
    readonly bytes: number;
    readonly seconds: number;
    readonly maxBytes?: number;
    check(answer: Buffer): void;
  },
): Promise<LoadResult> {
  const { frame, bytes, seconds, maxBytes = MAX_BYTES } = load;
  return new Promise((resolve, reject) => {
    const run = begin(pid);
    let inFlight = 0;
    const send = (): void => {
      inFlight += 1;
      client.send(frame);
    };
    client.onFailure = reject;
    client.onFrame = (answer) => {
      load.check(answer);
      run.bytes += bytes;
      inFlight -= 1;
      if (performance.now() - run.startedMs < seconds * 1000 && run.bytes < maxBytes) send();
      else if (inFlight === 0) resolve(end(run, pid));
    };
    for (let i = 0; i < IN_FLIGHT; i++) send();
  });
}

/** Sends one request after the other for so long. `take` looks at an answer, says how many bytes it brought and what to ask next. */
export function fetchFor(
  client: FrameClient,
  pid: number,
  load: {
    readonly first: Buffer;
    readonly seconds: number;
    take(answer: Buffer): { readonly bytes: number; readonly next: Buffer };
  },
): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    const run = begin(pid);
    client.onFailure = reject;
    client.onFrame = (answer) => {
      const { bytes, next } = load.take(answer);
      run.bytes += bytes;
      if (performance.now() - run.startedMs < load.seconds * 1000) client.send(next);
      else resolve(end(run, pid));
    };
    client.send(load.first);
  });
}
