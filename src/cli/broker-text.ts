// Brokers as people read them.
import type { BrokerDescription } from '../gen/kvorum/v1/admin.ts';
import type { Endpoint } from '../gen/kvorum/v1/metadata.ts';

export function brokerState({ inControlledShutdown, fenced }: BrokerDescription): string {
  return inControlledShutdown ? 'leaving' : fenced ? 'fenced' : 'active';
}

export function endpointText({ listener, host, port }: Endpoint): string {
  return `${listener}://${host}:${port}`;
}
