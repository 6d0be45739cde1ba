// What callers of an active controller are told that has lost its majority and does not know it by check quorum yet.
import { beforeEach, describe, expect, it } from 'vitest';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import { topicByName } from '../../../src/metadata/image.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Harness } from './harness.ts';
import { CLUSTER_ID, outcome, startHarness } from './harness.ts';

/** Default of controller.quorum.fetch.timeout.ms. */
const FETCH_TIMEOUT_MS = 2000;
const PEER = { id: 102, address: { host: '127.0.0.1', port: 2 } };
let h: Harness;

beforeEach(async () => {
  h = startHarness();
  h.elect();
  const request = {
    clusterId: CLUSTER_ID,
    brokerId: 1,
    incarnationId: uuid(201),
    logDirs: [uuid(1001)],
    endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
    rack: '',
    bootCounter: 1,
    previousBrokerEpoch: -1,
    minMetadataLevel: 1,
    maxMetadataLevel: 3,
  };
  const registered = h.call(Control, Control.methods.registerBroker, request);
  h.commit();
  await registered;
  const unfenced = beat();
  h.commit();
  await unfenced;
});

function beat() {
  const brokerEpoch = h.publisher.image.brokers.get(1)?.brokerEpoch ?? -1;
  const metadataEndOffset = brokerEpoch + 1;
  const request = {
    brokerId: 1,
    brokerEpoch,
    metadataEndOffset,
    wantFence: false,
    wantShutdown: false,
    offlineLogDirs: [],
  };
  return h.call(Control, Control.methods.brokerHeartbeat, request);
}

function create(name: string) {
  const topics = [{ name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] }];
  return h.call(Admin, Admin.methods.createTopics, { topics, validateOnly: false, forwarded: true });
}

/** The other voter's process is gone: it does not fetch any more, and nobody listens there. */
function killPeer(): void {
  const diedAt = h.clock.now();
  h.quorum.lastFetchMs = () => diedAt;
  h.refusing.push(PEER);
  h.clock.advance(1);
}

function revivePeer(): void {
  h.quorum.lastFetchMs = () => h.clock.now();
  h.refusing.length = 0;
}

const unknown = {
  status: 'UNAVAILABLE',
  message: expect.stringContaining('whether the call takes effect is not known'),
};
const notDone = { status: 'UNAVAILABLE', message: expect.stringContaining('nothing was done') };

describe('a majority whose processes are gone', () => {
  it('is told to who waits for a commit, well before check quorum', async () => {
    killPeer();
    const waiting = create('a');
    h.clock.advance(199);
    expect(await outcome(waiting)).toBe('pending');
    h.clock.advance(1);
    await expect(waiting).rejects.toMatchObject(unknown);
    await expect(waiting).rejects.toThrow('1 of 2 voters are gone, nobody listens at 127.0.0.1:2');
    expect(h.controller.isActive).toBe(true); // M-3: that is check quorum's to end
  });

  it('refuses what comes then, without a trace, until it fetches again', async () => {
    killPeer();
    const waiting = create('a');
    h.clock.advance(200);
    await expect(waiting).rejects.toMatchObject(unknown);
    const { endOffset } = h.quorum;
    await expect(create('b')).rejects.toMatchObject(notDone);
    expect(h.quorum.endOffset).toBe(endOffset);
    revivePeer();
    const later = create('c');
    h.commit();
    expect((await later).topics[0]?.error).toBeUndefined();
    // What was told to be unknown came to be after all.
    expect(['a', 'b', 'c'].map((name) => topicByName(h.publisher.image, name) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('C-3.5: life signs of brokers count all the same', async () => {
    killPeer();
    const waiting = create('a');
    h.clock.advance(200);
    await expect(waiting).rejects.toMatchObject(unknown);
    h.clock.advance(8900 - h.clock.now());
    const beating = beat();
    h.clock.advance(200);
    await expect(beating).rejects.toMatchObject(unknown);
    revivePeer();
    h.clock.advance(8000);
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.fenced).toBe(false);
  });
});

describe('a majority that is silent', () => {
  it('is waited for: only check quorum knows whether it is gone', async () => {
    killPeer();
    h.refusing.length = 0;
    const waiting = create('a');
    h.clock.advance(FETCH_TIMEOUT_MS);
    expect(await outcome(waiting)).toBe('pending');
    h.depose();
    await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining('not known') as string });
  });

  it('R-5.4: what comes after a fetch timeout of silence is refused', async () => {
    killPeer();
    h.refusing.length = 0;
    h.clock.advance(FETCH_TIMEOUT_MS);
    await expect(create('a')).rejects.toMatchObject(notDone);
    expect(h.quorum.endOffset).toBe(h.quorum.committed);
  });
});

describe('no false alarm', () => {
  it('for a slow commit while the others are there', async () => {
    h.clock.advance(1);
    const waiting = create('a');
    for (let i = 0; i < 20; i++) {
      h.clock.advance(200);
      expect(await outcome(waiting)).toBe('pending');
    }
    h.commit();
    expect((await waiting).topics[0]?.error).toBeUndefined();
  });

  it('for refusals of somebody who is no voter, or who fetches all the same', async () => {
    h.refusing.push({ id: 103, address: { host: '127.0.0.1', port: 3 } });
    const first = create('a');
    h.clock.advance(1000);
    expect(await outcome(first)).toBe('pending');
    h.refusing.push(PEER);
    const second = create('b');
    h.clock.advance(1000);
    expect(await outcome(second)).toBe('pending');
    h.commit();
    await Promise.all([first, second]);
  });
});
