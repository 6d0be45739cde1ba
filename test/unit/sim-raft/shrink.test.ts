import { describe, expect, it } from 'vitest';
import type { RaftChecker } from '../../../src/sim/raft/checker.ts';
import { drawScenario } from '../../../src/sim/raft/draw-scenario.ts';
import { shrinkScenario } from '../../../src/sim/raft/shrink.ts';
import { runRaftScenario } from '../../../src/sim/raft/simulate.ts';
import { Violation } from '../../../src/sim/raft/violation.ts';

/** "Fails" when node 1 has crashed three times. */
function thirdCrash(): RaftChecker {
  let crashes = 0;
  return {
    crashed(_ghost, node) {
      if (node.id === 1 && ++crashes === 3) throw new Violation('third', 'crash');
    },
  };
}

describe('shrinking', () => {
  it('drops most faults and switches off what does not matter', () => {
    const fails = (seed: number) => {
      const { faults, triggers } = drawScenario(seed);
      if (faults.length < 20 || triggers.length > 0) return false;
      return !runRaftScenario(drawScenario(seed), { checkers: [thirdCrash()] }).ok;
    };
    let seed = 1;
    while (!fails(seed)) seed++;
    const small = shrinkScenario(
      drawScenario(seed),
      (scenario, stopAtMs) => runRaftScenario(scenario, { checkers: [thirdCrash()], stopAtMs }),
      500,
    );
    expect(small.faults.length).toBeLessThanOrEqual(5);
    expect(small.config.observers).toBe(0);
    expect(small.config.network.lossPermille).toBe(0);
    expect(runRaftScenario(small, { checkers: [thirdCrash()] }).property).toBe('third');
  });

  it('returns what does not fail as it is', () => {
    const scenario = drawScenario(1);
    expect(shrinkScenario(scenario, (one, stopAtMs) => runRaftScenario(one, { stopAtMs }))).toBe(scenario);
  });
});
