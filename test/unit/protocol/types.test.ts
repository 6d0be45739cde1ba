// The types that follow from the declarations. Checked by the compiler; at run time these do nothing.
import { expectTypeOf, test } from 'vitest';
import type { RequestInput, RequestOf, ResponseInput, ResponseOf } from '../../../src/protocol/api.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import type { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import type { produceApi } from '../../../src/protocol/apis/produce.ts';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import type { Decoded, Encodable } from '../../../src/protocol/schema.ts';
import { array, int8, int32, string, struct } from '../../../src/protocol/schema.ts';

test('a declaration gives the types of both directions', () => {
  const schema = struct({
    required: int32(),
    omittable: string({ nullable: '1+', default: null }),
    tagged: array(struct({ n: int8() }), { versions: '2+', tag: 0 }),
  });
  expectTypeOf<Decoded<typeof schema>>().toEqualTypeOf<{
    readonly required: number;
    readonly omittable: string | null;
    readonly tagged: readonly { readonly n: number }[];
  }>();
  expectTypeOf<Encodable<typeof schema>>().toEqualTypeOf<{
    readonly required: number;
    readonly omittable?: string | null | undefined;
    readonly tagged?: readonly { readonly n: number }[] | undefined;
  }>();
});

test('options are checked', () => {
  // @ts-expect-error: no such option
  int32({ ignorble: true });
  // @ts-expect-error: a number cannot be null
  int32({ nullable: '0+' });
  // @ts-expect-error: not a version range
  expectTypeOf(() => int32({ versions: '3plus' })).toBeFunction();
  // @ts-expect-error: not the field's type
  int32({ default: 'x' });
});

test('messages have the fields of all versions', () => {
  type Produce = RequestOf<typeof produceApi>;
  expectTypeOf<Produce['topicData'][number]['partitionData'][number]['records']>().toEqualTypeOf<Buffer | null>();
  expectTypeOf<Produce['transactionalId']>().toEqualTypeOf<string | null>();
  type FetchPartition = RequestOf<typeof fetchApi>['topics'][number]['partitions'][number];
  expectTypeOf<FetchPartition['fetchOffset']>().toEqualTypeOf<number | bigint>();
  type Topics = NonNullable<RequestOf<typeof metadataApi>['topics']>;
  expectTypeOf<Topics[number]['name']>().toEqualTypeOf<string | null>();
  expectTypeOf<ResponseOf<typeof metadataApi>['controllerId']>().toBeNumber();
});

test('what was decoded can be encoded again', () => {
  expectTypeOf<RequestOf<typeof fetchApi>>().toExtend<RequestInput<typeof fetchApi>>();
  expectTypeOf<ResponseOf<typeof fetchApi>>().toExtend<ResponseInput<typeof fetchApi>>();
  expectTypeOf<ResponseOf<typeof metadataApi>>().toExtend<ResponseInput<typeof metadataApi>>();
});

test('what has no default must be given', () => {
  // @ts-expect-error: responses is missing
  expectTypeOf(() => fetchApi.encodeResponse(17, { sessionId: 0 })).toBeFunction();
});

test('error codes are literal numbers', () => {
  expectTypeOf(ErrorCode.FENCED_LEADER_EPOCH).toEqualTypeOf<74>();
});
