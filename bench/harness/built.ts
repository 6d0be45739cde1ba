// Code that is timed inside bench processes comes from the build, as users run it: what tsx makes of the sources names every
// closure at run time, which costs hot paths dearly.
import { OWN_DIST } from './options.ts';

/** Imports a module of the build, e.g. `built<typeof import('../../src/raft/step.ts')>('raft/step.js')`. */
export async function built<T>(path: string): Promise<T> {
  return (await import(`${OWN_DIST}/${path}`)) as T;
}
