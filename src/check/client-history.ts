// All that is asked of a history of clients (safety.md §6.3, §6.4), of a simulated run and of a real one alike.
import type { ClientHistory } from './history.ts';
import type { Hazards } from './losses.ts';
import { checkLedgerIsTrue, checkLossesHaveReasons, checkReadersAreTold, hasReason } from './losses.ts';
import { checkFullReading, checkReadsAgree, checkReadsCommitted, checkReadsInOrder } from './reads.ts';
import type { Violation } from './violation.ts';
import {
  checkBehindAcknowledged,
  checkIdempotence,
  checkNoAckedLoss,
  checkNoInvention,
  checkOrder,
  checkOutcomes,
} from './writes.ts';

/** One violation of each property that does not hold. `finalReader`: the session that reads everything at the end. */
export function violationsOf(told: ClientHistory, finalReader: string, hazards: Hazards): Violation[] {
  // A loss without a reason is no excuse for another.
  const history = { ...told, ledger: told.ledger.filter((entry) => hasReason(entry, told.ledger, hazards)) };
  return [
    checkLossesHaveReasons(told, hazards),
    checkNoInvention(history),
    checkIdempotence(history),
    checkOutcomes(history),
    checkNoAckedLoss(history),
    checkOrder(history),
    checkBehindAcknowledged(history),
    checkLedgerIsTrue(history),
    checkReadsInOrder(history),
    checkReadersAreTold(history),
    checkReadsAgree(history),
    checkReadsCommitted(history),
    checkFullReading(history, finalReader),
  ].filter((found) => found !== undefined);
}
