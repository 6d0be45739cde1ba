// Brokers as people read them.
import type { BrokerDescription } from '../gen/kvorum/v1/admin.ts';
import type { Endpoint } from '../gen/kvorum/v1/metadata.ts';

/** `stopped`: in good order; `fenced`: not, or not heard of yet; `leaving`: its leaders are being moved. */
export function brokerState({ inControlledShutdown, fenced }: BrokerDescription): string {
  if (fenced) return inControlledShutdown ? 'stopped' : 'fenced';
  return inControlledShutdown ? 'leaving' : 'active';
}

export function endpointText({ listener, host, port }: Endpoint): string {
  return `${listener}://${host}:${port}`;
}
