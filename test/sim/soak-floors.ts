// What 1,000 seeds go through at the least, about half of what they do: a counter that falls below says that the simulator
// no longer goes where bugs are.
import type { KindName } from './kind.ts';

export const FLOORS: Readonly<Record<KindName, Readonly<Record<string, number>>>> = {
  raft: {},
  cluster: {},
};
