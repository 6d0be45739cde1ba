// Calls of AdminService at the nodes of a simulated cluster.
import { expect } from 'vitest';
import type { RpcMethod } from '../../../src/env/network.ts';
import { RpcError } from '../../../src/env/network.ts';
import type { CommandId, CreateTopicsRequest, ItemError, NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../../src/gen/kvorum/v1/admin.ts';
import { SimCluster } from './sim-cluster.ts';

export const Admin = AdminServiceDefinition.methods;

export async function formed(seed?: number): Promise<SimCluster> {
  const cluster = new SimCluster(seed);
  await cluster.startControllers();
  cluster.start('node', { nodeId: 9, isController: false });
  await cluster.ready('node');
  return cluster;
}

export function call<Request, Response>(
  cluster: SimCluster,
  via: string,
  method: RpcMethod<Request, Response>,
  request: Request,
) {
  return cluster.ask(via, (asking) => asking.call(method, request));
}

export function newTopic(name: string, fields: Partial<NewTopic> = {}): NewTopic {
  return { name, partitions: 1, replicationFactor: 1, configs: {}, assignments: [], ...fields };
}

export function creation(topics: NewTopic[], command?: CommandId): CreateTopicsRequest {
  return { topics, validateOnly: false, forwarded: false, ...(command && { command }) };
}

export async function failureOf(asked: Promise<unknown>): Promise<RpcError> {
  const error = await asked.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  expect(error, String(error)).toBeInstanceOf(RpcError);
  return error as RpcError;
}

/** `NAME: message` of each item that failed. */
export function said(items: readonly { readonly error?: ItemError | undefined }[]): (string | undefined)[] {
  return items.map(({ error }) => error && `${error.name}: ${error.message}`);
}
