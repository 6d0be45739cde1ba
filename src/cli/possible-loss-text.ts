// What an unclean election would cost, in words: which offsets go for sure, and what only silent brokers know (C-5.7).
import type { ElectedLeader } from '../gen/kvorum/v1/admin.ts';
import { list } from './output.ts';

export function possibleLossText({ leader, possibleLoss }: ElectedLeader): string {
  if (possibleLoss === undefined) return 'which records would go is not known';
  const { firstOffset, knownEndOffset, highWatermark, silent, silentFromOffset } = possibleLoss;
  if (firstOffset < 0) return `which records would go is not known, as broker ${leader} does not answer`;
  const sure = knownEndOffset > firstOffset ? sureText(firstOffset, knownEndOffset, highWatermark) : undefined;
  if (silent.length === 0) return sure ?? 'no record that another replica has would go';
  const brokers = silent.length === 1 ? `broker ${silent[0]} does` : `brokers ${list(silent)} do`;
  const also = `${brokers} not answer, and what only ${silent.length === 1 ? 'it has' : 'they have'} from offset ${silentFromOffset} on would go${sure === undefined ? '' : ' too'}`;
  return sure === undefined ? also : `${sure}; ${also}`;
}

function sureText(from: number, to: number, highWatermark: number): string {
  const committedEnd = Math.min(to, highWatermark);
  const committed =
    committedEnd <= from
      ? 'none of them known to be committed'
      : committedEnd === to
        ? 'all of them committed'
        : `${rangeText(from, committedEnd)} of them committed`;
  return `${rangeText(from, to)} would go, ${committed}`;
}

function rangeText(from: number, to: number): string {
  return to - from === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`;
}
