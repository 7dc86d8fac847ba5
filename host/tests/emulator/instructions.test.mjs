// Every instruction, one at a time, from random states: the core under test against the reference, all state compared.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ENCODINGS, randomInstruction } from './encodings.mjs';
import { LR, Pair, Random } from './machines.mjs';
import { codeAddress, scramble } from './states.mjs';

const TRIALS = +(process.env.FUZZ_TRIALS ?? 600), SEED = +(process.env.FUZZ_SEED ?? 1);

for (const [missCycles, hz] of [[0, 125e6], [50, 125e6], [0, 133e6]]) {
  test(`every instruction from random states, ${missCycles} cycles a miss, ${hz / 1e6} MHz`, () => {
    const pair = new Pair({ missCycles, hz }), random = new Random(SEED + missCycles);
    pair.fill(random);
    for (const name of Object.keys(ENCODINGS)) {
      for (let trial = 0; trial < TRIALS; trial++) {
        scramble(pair, random);
        const at = codeAddress(random), halves = randomInstruction(name, random);
        halves.forEach((half, i) => pair.poke16(at + 2 * i, half));
        pair.each((core) => { core.PC = at; });
        if (random.chance(0.02)) pair.each((core) => { core.registers[LR] = at | 1; });
        pair.step();
        const wrong = pair.differences();
        assert.deepEqual(wrong, [], `${name} ${halves.map((h) => h.toString(16))} at ${at.toString(16)}, trial ${trial}`);
        pair.forget();
      }
    }
    assert.equal(pair.flashDifference(), -1);
  });
}

test('all 65,536 first halfwords, defined or not', () => {
  const pair = new Pair(), random = new Random(SEED + 7);
  pair.fill(random);
  for (let op = 0; op < 65536; op++) {
    scramble(pair, random);
    const at = codeAddress(random);
    pair.poke16(at, op);
    pair.poke16(at + 2, random.below(65536));
    pair.each((core) => { core.PC = at; });
    pair.step();
    assert.deepEqual(pair.differences(), [], `${op.toString(16)} at ${at.toString(16)}`);
    pair.forget();
  }
  assert.equal(pair.flashDifference(), -1);
});
