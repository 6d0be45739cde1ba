// The one place in `sim/` that touches the real event loop: it waits for a macrotask turn, after which every promise
// reaction of the last event has run, and it catches the errors that would have ended a real process (S-X2).

/** Resolves in the next macrotask: all microtasks that are pending now, and those they cause, have run by then. */
export function macrotaskTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

const UNCAUGHT = ['unhandledRejection', 'uncaughtException'] as const;
let capturing = false;

/**
 * Sends uncaught errors to `report` in place of everybody who listens now, until the returned function is called.
 * One world runs at a time in one thread: with two, nobody could tell whose error it was.
 */
export function captureUncaught(report: (error: unknown) => void): () => void {
  if (capturing) throw new Error('another simulated world is running in this thread');
  capturing = true;
  const restore: (() => void)[] = [];
  for (const name of UNCAUGHT) {
    const others = process.rawListeners(name) as ((error: unknown) => void)[];
    for (const listener of others) process.off(name, listener);
    process.on(name, report);
    restore.push(() => {
      process.off(name, report);
      for (const listener of others) process.on(name, listener);
    });
  }
  return () => {
    capturing = false;
    for (const undo of restore) undo();
  };
}
