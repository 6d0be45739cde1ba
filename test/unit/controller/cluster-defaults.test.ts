// The cluster's defaults at the active controller (C-10.1), and named commands while they wait to be committed (S-M10).
import { describe, expect, it } from 'vitest';
import type { CommandId, NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin, ConfigOperation } from '../../../src/gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { brokerEntity, configsOf } from '../../../src/metadata/image.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Harness } from './harness.ts';
import { CLUSTER_ID, outcome, startHarness } from './harness.ts';

const MIN_ISR = 'min.insync.replicas';

function founded(properties = ''): Harness {
  const h = startHarness(properties);
  h.elect();
  h.commit();
  return h;
}

async function withBroker(h: Harness): Promise<void> {
  const registration = {
    clusterId: CLUSTER_ID,
    brokerId: 1,
    incarnationId: uuid(201),
    logDirs: [uuid(1001)],
    rack: '',
  };
  const endpoints = [{ listener: 'PLAINTEXT', host: 'h', port: 1 }];
  const levels = { minMetadataLevel: 1, maxMetadataLevel: 3 };
  const request = { ...registration, endpoints, bootCounter: 1, previousBrokerEpoch: -1, ...levels };
  const registered = h.call(Control, Control.methods.registerBroker, request);
  h.commit();
  const { brokerEpoch } = await registered;
  const wishes = { wantFence: false, wantShutdown: false, offlineLogDirs: [] };
  const beat = { brokerId: 1, brokerEpoch, metadataEndOffset: brokerEpoch + 1, ...wishes };
  const unfenced = h.call(Control, Control.methods.brokerHeartbeat, beat);
  h.commit();
  await unfenced;
}

function create(h: Harness, fields: Partial<NewTopic>, command?: CommandId) {
  const topics = [{ name: 't', partitions: -1, replicationFactor: -1, configs: {}, assignments: [], ...fields }];
  const request = { topics, validateOnly: false, forwarded: false, ...(command && { command }) };
  return h.call(Admin, Admin.methods.createTopics, request);
}

const ignored = (h: Harness) => h.lines.filter(({ event }) => event === 'config-ignored').map(({ fields }) => fields);

describe('what all nodes must agree on', () => {
  it('C-10.1: comes from the file of the controller that founds the cluster, in its first batch', () => {
    const h = founded(`${MIN_ISR}=2\n`);
    expect(configsOf(h.publisher.image, brokerEntity()).toObject()).toEqual({ [MIN_ISR]: '2' });
    expect(h.quorum.log.filter(({ records }) => records.length > 0)).toHaveLength(1);
    expect(ignored(h)).toEqual([]);
  });

  it('C-10.1: is not taken from the file of who is elected later; that says so', async () => {
    const h = founded(`${MIN_ISR}=2\n`);
    const alteration = { key: MIN_ISR, operation: ConfigOperation.SET, value: '3' };
    const resource = { resource: { scope: ConfigScope.BROKER, name: '' }, alterations: [alteration] };
    const altered = h.call(Admin, Admin.methods.alterConfigs, {
      resources: [resource],
      validateOnly: false,
      forwarded: false,
    });
    h.commit();
    await altered;
    h.depose();
    h.elect();
    h.commit();
    expect(configsOf(h.publisher.image, brokerEntity()).toObject()).toEqual({ [MIN_ISR]: '3' });
    expect(ignored(h)).toEqual([
      { reason: expect.stringMatching(/^min\.insync\.replicas=2 in the file .* one value, 3:/) },
    ]);
  });
});

describe('new topics', () => {
  it('have as many partitions as altered for all brokers, else as the file says', async () => {
    const h = founded();
    await withBroker(h);
    const first = create(h, { name: 'a' });
    h.commit();
    expect((await first).topics[0]).toMatchObject({ error: undefined, partitions: 2 });
    const alteration = { key: 'num.partitions', operation: ConfigOperation.SET, value: '5' };
    const resource = { resource: { scope: ConfigScope.BROKER, name: '' }, alterations: [alteration] };
    void h.call(Admin, Admin.methods.alterConfigs, { resources: [resource], validateOnly: false, forwarded: false });
    const second = create(h, { name: 'b' });
    h.commit();
    expect((await second).topics[0]).toMatchObject({ partitions: 5 });
  });
});

describe('S-M10: a named command', () => {
  const command = { clientId: uuid(7), sequence: 1 };

  it('that is repeated before it is committed is answered with it, alike', async () => {
    const h = founded();
    await withBroker(h);
    const endOffset = h.quorum.endOffset;
    const first = create(h, {}, command);
    const again = create(h, {}, command);
    expect(await outcome(again)).toBe('pending');
    expect(h.quorum.endOffset).toBe(endOffset + 4); // a topic, two partitions, the command
    h.commit();
    const [one, two] = [await first, await again];
    expect(two).toEqual(one);
    expect(one.topics[0]?.error).toBeUndefined();
  });

  it('is known to the next active controller, if it was committed; else it is carried out there', async () => {
    const h = founded();
    await withBroker(h);
    void outcome(create(h, { name: 'lost' }, command));
    h.depose();
    h.elect();
    const first = create(h, {}, command);
    h.commit();
    const { topics } = await first;
    expect(topics[0]).toMatchObject({ name: 't', error: undefined });
    h.depose();
    h.elect();
    h.commit();
    const { endOffset } = h.quorum;
    const again = create(h, {}, command);
    h.commit();
    expect((await again).topics).toEqual(topics);
    expect(h.quorum.endOffset).toBe(endOffset);
  });
});
