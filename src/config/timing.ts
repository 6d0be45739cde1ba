// Timing profiles: consistent sets of timeouts (R-3, C-3). A key set by the operator wins over the profile.
import type { NodeKeyName } from './node-keys.ts';

type TimingKey = Extract<
  NodeKeyName,
  | 'broker.session.timeout.ms'
  | 'broker.heartbeat.interval.ms'
  | 'broker.connection.grace.ms'
  | 'controller.quorum.election.timeout.ms'
  | 'controller.quorum.fetch.timeout.ms'
  | 'controller.quorum.request.timeout.ms'
>;

/** What each profile changes from the defaults of the key table. */
export const TIMING_PROFILES: Readonly<Record<'default' | 'fast' | 'dev', Partial<Record<TimingKey, number>>>> = {
  default: {},
  fast: {
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 400,
    'broker.connection.grace.ms': 250,
    'controller.quorum.election.timeout.ms': 150,
    'controller.quorum.fetch.timeout.ms': 300,
    'controller.quorum.request.timeout.ms': 1000,
  },
  dev: {
    'broker.session.timeout.ms': 3000,
    'broker.heartbeat.interval.ms': 500,
    'broker.connection.grace.ms': 300,
    'controller.quorum.election.timeout.ms': 250,
    'controller.quorum.fetch.timeout.ms': 600,
    'controller.quorum.request.timeout.ms': 1000,
  },
};
