// Why a simulated run failed, with all that is needed to run it again.

export class SimulationFailure extends Error {
  override name = 'SimulationFailure';
  readonly seed: number;
  readonly timeMs: number;

  constructor(seed: number, timeMs: number, events: number, what: string, cause: unknown) {
    const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(`seed ${seed}, ${timeMs.toFixed(3)} ms, event ${events}: ${what}: ${reason}`, { cause });
    this.seed = seed;
    this.timeMs = timeMs;
  }
}
