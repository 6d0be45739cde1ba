// C-9.1c, C-9.2, S-M10: commands that name themselves are carried out once.
import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { carriedOutOnce, MAX_REPLY_BYTES } from '../../../src/controller/decide/commands.ts';
import type { Decided } from '../../../src/controller/decide/decision.ts';
import { isRefusal, refuse } from '../../../src/controller/decide/decision.ts';
import { decideDeleteTopics } from '../../../src/controller/decide/delete-topics.ts';
import type { CommandId, DeleteTopicsResponse } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { MAX_COMMAND_BYTES, MAX_COMMAND_CLIENTS } from '../../../src/metadata/commands.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { imageFromRecords, snapshotRecords } from '../../../src/metadata/image-records.ts';
import { decodeRecords, encodeRecord } from '../../../src/metadata/record.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';

const { deleteTopics, createTopics } = AdminServiceDefinition.methods;
const LEVEL_2 = record({ $case: 'metadataLevel', metadataLevel: { level: 2 } });
const topics = (image: MetadataImage, ...names: string[]) =>
  names.reduce((now, name) => {
    const topicId = uuid(50 + now.endOffset);
    return after(now, topicRecord(name, topicId), partitionRecord(topicId, 0, [1]));
  }, image);
const cluster = topics(after(clusterOf(1), LEVEL_2), 'a', 'b');
const id = (sequence: number, clientId = uuid(7)): CommandId => ({ clientId, sequence });

function remove(image: MetadataImage, name: string, command: CommandId | undefined, validateOnly = false) {
  const request = { topics: [{ name, topicId: '' }], validateOnly, forwarded: false };
  return carriedOutOnce(image, { ...request, command }, deleteTopics, () => decideDeleteTopics(image, request));
}

function accepted<T>(decided: Decided<T>) {
  if (isRefusal(decided)) throw new Error(decided.message);
  return decided;
}

function carryOut(image: MetadataImage, decided: Decided<DeleteTopicsResponse>) {
  const { records, respond } = accepted(decided);
  const next = records.length === 0 ? image : after(image, ...records);
  return { image: next, records, answer: respond(next) };
}

const refusal = (decided: Decided<unknown>) => (isRefusal(decided) ? decided : undefined);

describe('a named command', () => {
  it('C-9.2: leaves its name and answer in the batch of its effect, last', () => {
    const { records } = carryOut(cluster, remove(cluster, 'a', id(1)));
    expect(records.map(({ kind }) => kind?.$case)).toEqual(['removeTopic', 'command']);
    const { kind } = records[1] as MetadataRecord;
    expect(kind?.$case === 'command' && kind.command).toMatchObject({
      clientId: uuid(7),
      sequence: 1,
      method: 'DeleteTopics',
    });
  });

  it('S-M10: a repetition changes nothing and gets the same answer, dated by the present image', () => {
    const first = carryOut(cluster, remove(cluster, 'a', id(1)));
    const later = topics(first.image, 'c');
    const again = carryOut(later, remove(later, 'a', id(1)));
    expect(again.records).toEqual([]);
    expect(again.answer).toEqual({ ...first.answer, metadataEndOffset: later.endOffset });
    expect(first.answer.topics[0]?.error).toBeUndefined();
  });

  it('S-M10: gets the same answer where all items failed, whatever came after', () => {
    const first = carryOut(cluster, remove(cluster, 'x', id(1)));
    expect(first.records).toHaveLength(1);
    const later = topics(first.image, 'x');
    expect(carryOut(later, remove(later, 'x', id(1))).answer.topics[0]?.error?.name).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  });

  it('S-M10: is known before its batch is committed, and to whoever folds the log or reads a snapshot', () => {
    const { records, answer } = carryOut(cluster, remove(cluster, 'a', id(1)));
    // The working image of the same claim, and another controller's image from the bytes of the log.
    const working = after(cluster, ...records);
    const bytes = records.map(encodeRecord);
    const other = after(cluster, ...decodeRecords(bytes, cluster.endOffset));
    const restored = imageFromRecords(snapshotRecords(other), other.endOffset, other.epoch);
    for (const image of [working, other, restored]) {
      const again = carryOut(image, remove(image, 'a', id(1)));
      expect([again.records, again.answer]).toEqual([[], answer]);
    }
  });

  it('is a new one with a higher sequence, and replaces the one before', () => {
    const first = carryOut(cluster, remove(cluster, 'a', id(1)));
    const second = carryOut(first.image, remove(first.image, 'b', id(5)));
    expect(second.records).toHaveLength(2);
    expect(second.image.commands.get(uuid(7))?.sequence).toBe(5);
    expect(refusal(remove(second.image, 'a', id(1)))).toMatchObject({ refused: 'ABORTED', reason: 'STALE_COMMAND' });
    expect(refusal(remove(second.image, 'a', id(4)))).toMatchObject({ refused: 'ABORTED' });
  });

  it('is its client’s alone', () => {
    const first = carryOut(cluster, remove(cluster, 'a', id(9)));
    expect(carryOut(first.image, remove(first.image, 'b', id(1, uuid(8)))).answer.topics[0]?.error).toBeUndefined();
  });

  it('of another method under the same sequence is refused', () => {
    const { image } = carryOut(cluster, remove(cluster, 'a', id(1)));
    const decided = carriedOutOnce(image, { command: id(1), validateOnly: false }, createTopics, () => {
      throw new Error('decided again');
    });
    expect(refusal(decided)).toMatchObject({
      refused: 'INVALID_ARGUMENT',
      message: expect.stringContaining('was DeleteTopics, and this is CreateTopics'),
    });
  });

  it('that only checks leaves nothing behind: the real one under the same sequence is carried out', () => {
    expect(carryOut(cluster, remove(cluster, 'a', id(1), true)).records).toEqual([]);
    expect(carryOut(cluster, remove(cluster, 'a', id(1))).records).toHaveLength(2);
  });

  it('that is refused as a whole is not remembered', () => {
    const decided = carriedOutOnce(cluster, { command: id(1), validateOnly: false }, deleteTopics, () =>
      refuse('INVALID_ARGUMENT', 'no'),
    );
    expect(refusal(decided)?.message).toBe('no');
  });

  it.each<[string, CommandId, RegExp]>([
    ['no client id', id(1, ''), /client_id/],
    ['a client id that is no UUID', id(1, 'me'), /client_id 'me'/],
    ['the zero UUID', id(1, ZERO_UUID), /client_id/],
    ['sequence 0', id(0), /sequence is 0/],
    ['a negative sequence', id(-1), /sequence is -1/],
    ['a fraction', id(1.5), /sequence is 1.5/],
  ])('with %s is refused', (_, command, message) => {
    expect(refusal(remove(cluster, 'a', command))).toMatchObject({ refused: 'INVALID_ARGUMENT' });
    expect(refusal(remove(cluster, 'a', command))?.message).toMatch(message);
  });

  it('with an answer too large to be remembered is refused, and does nothing', () => {
    const message = 'x'.repeat(MAX_REPLY_BYTES);
    const decided = carriedOutOnce(cluster, { command: id(1), validateOnly: false }, deleteTopics, () => ({
      records: [],
      respond: () => ({ topics: [{ name: message, topicId: '', error: undefined }], metadataEndOffset: 0 }),
    }));
    expect(refusal(decided)).toMatchObject({ refused: 'INVALID_ARGUMENT', message: expect.stringContaining('bytes') });
  });
});

describe('a command is carried out every time', () => {
  it('without a name', () => {
    expect(carryOut(cluster, remove(cluster, 'a', undefined)).records).toHaveLength(1);
  });

  it('at metadata level 1, and is not remembered', () => {
    const old = topics(clusterOf(1), 'a');
    const { records, image } = carryOut(old, remove(old, 'a', id(1)));
    expect([records.length, image.commands.size]).toEqual([1, 0]);
    expect(carryOut(image, remove(image, 'a', id(1))).answer.topics[0]?.error?.name).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  });
});

describe('what is remembered is bounded', () => {
  const command = (n: number, bytes = 1) =>
    record({
      $case: 'command',
      command: { clientId: uuid(10_000 + n), sequence: 1, method: 'DeleteTopics', reply: new Uint8Array(bytes) },
    });

  it('in clients: who was not heard of for longest is forgotten, and taken for new', () => {
    let { image } = carryOut(cluster, remove(cluster, 'x', id(1)));
    image = after(image, ...Array.from({ length: MAX_COMMAND_CLIENTS - 1 }, (_, n) => command(n)));
    expect(carryOut(image, remove(image, 'x', id(1))).records).toEqual([]);
    image = after(image, command(MAX_COMMAND_CLIENTS));
    expect([image.commands.size, image.commands.has(uuid(7))]).toEqual([MAX_COMMAND_CLIENTS, false]);
    expect(carryOut(image, remove(image, 'x', id(1))).records).toHaveLength(1);
  });

  it('in bytes: the newest stays, whatever its size', () => {
    const half = MAX_COMMAND_BYTES / 2;
    const full = after(EMPTY_IMAGE, LEVEL_2, command(1, half), command(2, half));
    expect([full.commands.size, full.commandBytes]).toEqual([2, MAX_COMMAND_BYTES]);
    const next = after(full, command(3, 1));
    expect([...next.commands.keys()]).toEqual([uuid(10_002), uuid(10_003)]);
    const large = after(full, command(4, MAX_COMMAND_BYTES + 1));
    expect([...large.commands.keys()]).toEqual([uuid(10_004)]);
  });

  it('heard of again counts from then on', () => {
    const image = after(EMPTY_IMAGE, LEVEL_2, command(1), command(2), command(1));
    expect([...image.commands.keys()]).toEqual([uuid(10_002), uuid(10_001)]);
  });
});
