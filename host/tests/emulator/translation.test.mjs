// Translated code against the interpreter: all state, every access to a peripheral and its time, every cycle.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ENCODINGS, randomInstruction } from './encodings.mjs';
import { FLASH, LR, PC, Pair, Random, SP, SRAM, emulatorModule } from './machines.mjs';
import { codeAddress, scramble } from './states.mjs';

const { SsiFlash } = await emulatorModule('flash.mjs');
const TRIALS = +(process.env.FUZZ_TRIALS ?? 30), SEED = +(process.env.FUZZ_SEED ?? 1);
const LONGEST_NS = 500, CYCLE_NS = 8;
const LEFT_TO_THE_INTERPRETER = /^(BKPT|UDF|UDF.W|SVC|WFE|WFI|SEV|CPSIE|CPSID|MSR|MRS|DSB|DMB|ISB|undefined.*)$/;

function run(pair, ns) { pair.both.forEach((p) => p.run(p.clock.nanosCounter + ns)); }
function begin(pair, halves, at, registers = {}) {
  halves.forEach((half, i) => pair.poke16(at + 2 * i, half));
  pair.each((core) => {
    core.registers.fill(0);
    for (const [n, value] of Object.entries(registers)) core.registers[n] = value;
    core.registers[SP] = SRAM + 0x8000;
    core.PC = at;
    core.VTOR = SRAM;
    core.enabledInterrupts = -1;
    core.waiting = core.PM = false;
  });
}

for (const missCycles of [0, 50]) {
  test(`every instruction and what follows it, from random states, ${missCycles} cycles a miss`, () => {
    const pair = new Pair({ core: 'translated', missCycles }), random = new Random(SEED + missCycles);
    pair.fill(random);
    for (const name of Object.keys(ENCODINGS)) {
      const before = pair.entered;
      for (let trial = 0; trial < TRIALS; trial++) {
        scramble(pair, random);
        const at = codeAddress(random), halves = randomInstruction(name, random);
        halves.forEach((half, i) => pair.poke16(at + 2 * i, half));
        pair.each((core) => { core.PC = at; });
        if (random.chance(0.5)) pair.each((core) => { core.interruptsUpdated = false; });
        // As if it had been seen to go to peripherals, or as if it had not.
        pair.tested.executor.translations.elsewhere.fill(random.below(2));
        pair.translate(at);
        run(pair, 1 + random.below(LONGEST_NS));
        const wrong = pair.differences();
        assert.deepEqual(wrong, [], `${name} ${halves.map((h) => h.toString(16))} at ${at.toString(16)}, trial ${trial}`);
        pair.forget();
      }
      if (!LEFT_TO_THE_INTERPRETER.test(name)) assert.ok(pair.entered - before >= TRIALS / 3, `${name} has been translated`);
    }
    assert.equal(pair.flashDifference(), -1);
  });
}

// Flags and conditions where they are decided: each operation on edges, then each condition.
test('every condition after every instruction that sets flags', () => {
  const pair = new Pair({ core: 'translated' }), random = new Random(SEED + 3), at = FLASH + 0x1000;
  const EDGES = [0, 1, 2, 31, 32, 33, 255, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff];
  const setters = Object.keys(ENCODINGS).filter((name) => /^([A-Z]+S( .*)?|CMP.*|CMN|TST)$/.test(name) && !/^(BCS|BVS|BLS|LDRS.*|MRS|REVS.*|NOP)$/.test(name));
  assert.ok(setters.length > 25, `${setters}`);
  let taken = 0;
  for (const name of setters) {
    for (const condition of ['BEQ', 'BNE', 'BCS', 'BCC', 'BMI', 'BPL', 'BVS', 'BVC', 'BHI', 'BLS', 'BGE', 'BLT', 'BGT', 'BLE']) {
      const branch = (parseInt(ENCODINGS[condition].slice(0, 8), 2) << 8) | 1;
      for (let trial = 0; trial < 6; trial++) {
        const [first] = randomInstruction(random.pick(setters), random), [second] = randomInstruction(name, random);
        // set flags; set flags again; branch over two; adds r7, #1; nop; adcs r6, r6; b .
        begin(pair, [first & ~0x80, second & ~0x80, branch, 0x3701, 0x46c0, 0x4176, 0xe7fe], at);
        const few = [random.pick(EDGES), random.pick(EDGES), random.pick(EDGES)];          // so that some are equal
        const values = Array.from({ length: 8 }, () => random.pick(few)), flags = random.below(16);
        pair.each((core) => {
          core.registers.set(values);
          core.registers[7] = 0;
          [core.N, core.C, core.V] = [1, 4, 8].map((bit) => (flags & bit) !== 0);
          core.Z = !core.N && (flags & 2) !== 0;
        });
        pair.translate(at);
        run(pair, 12 * CYCLE_NS);
        assert.deepEqual(pair.differences(), [], `${first.toString(16)}, ${name} ${second.toString(16)}, ${condition}, of ${values}`);
        taken += pair.tested.rp2040.core.registers[7] === 0 ? 1 : 0;
      }
    }
  }
  assert.ok(taken > 300 && pair.entered > 1000);
});

const HANDLER = SRAM + 0x2000;
for (const [where, at, missCycles] of [['SRAM', SRAM + 0x1000, 0], ['flash', FLASH + 0x1000, 0], ['flash, with the cache', FLASH + 0x1000, 50]]) {
  test(`an interrupt at every cycle of a loop in ${where}`, () => {
    const pair = new Pair({ core: 'translated', missCycles });
    for (let irq = 0; irq < 32; irq++) pair.poke32(SRAM + 4 * (16 + irq), HANDLER | 1);
    // push {r3, lr}; str r1, [r2]; ldr r3, [r2]; adds r0, r3; bl +; pop {r3}; pop {r3}; subs r1, #1; bne -; b first; +: bx lr
    const loop = [0xb508, 0x6011, 0x6813, 0x18c0, 0xf000, 0xf804, 0xbc08, 0xbc08, 0x3901, 0xd1f5, 0xe7f4, 0x4770];
    for (let cycle = 0; cycle < 120; cycle++) {
      begin(pair, loop, at, { 1: 5, 2: SRAM + 0x3000 });
      [0x4673, 0x681c, 0x3401, 0x601c, 0x4770].forEach((half, i) => pair.poke16(HANDLER + 2 * i, [0x4c01, 0x3401, 0x4647, 0x4770, 0][i] ?? half));
      pair.translate(at);
      pair.translate(HANDLER);
      pair.both.forEach((p) => p.clock.createAlarm(() => p.rp2040.core.setInterrupt(cycle & 31, true)).schedule(cycle * CYCLE_NS + (cycle % 3)));
      pair.both.forEach((p) => p.clock.createAlarm(() => p.rp2040.core.setInterrupt(cycle & 31, false)).schedule((cycle + 31) * CYCLE_NS));
      for (let stop = 0; stop < 4; stop++) {
        run(pair, 60 * CYCLE_NS);
        assert.deepEqual(pair.differences(), [], `cycle ${cycle}, stop ${stop}`);
      }
    }
    assert.ok(pair.entered > 400, `${pair.entered}`);
    assert.ok(pair.tested.rp2040.core.registers[4] > 0, 'the handler has run');
  });
}

test('reads of flash that push out the line that they are executed from', () => {
  const pair = new Pair({ core: 'translated', missCycles: 50 }), at = FLASH + 0x1000, WAY = 0x2000;
  // ldr r1 from r2, r3, r4 and r5; ldr r1 from its own line; b first
  const code = [0x6811, 0x6819, 0x6821, 0x6829, 0x4900, 0xe7f9, 0x1234, 0x5678];
  begin(pair, code, at, Object.fromEntries([2, 3, 4, 5].map((n) => [n, at + (n - 1) * WAY])));
  pair.translate(at);
  for (let stop = 0; stop < 40; stop++) {
    run(pair, 6000 + 111 * stop);
    assert.deepEqual(pair.differences(), [], `stop ${stop}`);
  }
  assert.ok(pair.entered >= 10 && pair.tested.cache.misses > 50 && pair.tested.cache.hits > 100, `${pair.entered}, ${pair.tested.cache.misses}, ${pair.tested.cache.hits}`);
});

const COUNTING = [0x3001, 0x3101, 0xe7fc];                 // adds r0, #1; adds r1, #1; b first
function counting(at) {
  const pair = new Pair({ core: 'translated' });
  begin(pair, COUNTING, at);
  pair.translate(at);
  run(pair, 1000);
  assert.ok(pair.entered > 0 && pair.tested.rp2040.core.registers[0] > 10);
  return pair;
}
function goesOn(pair, what) {
  run(pair, 1000);
  assert.deepEqual(pair.differences(), []);
  const [r0, r1] = pair.tested.rp2040.core.registers;
  assert.ok(what(r0, r1), `${r0}, ${r1}`);
}
for (const [who, write] of [['the DMA', (p, at) => p.rp2040.writeUint16(at, 0x3005)], ['an exception', (p, at) => p.rp2040.core.writeUint32(at, 0x31013005)],
  ['bytes', (p, at) => p.rp2040.writeUint8(at, 5)]]) {
  test(`code in SRAM that ${who} writes over runs as written`, () => {
    const pair = counting(SRAM + 0x1000);
    pair.both.forEach((p) => write(p, SRAM + 0x1000));
    goesOn(pair, (r0, r1) => r0 > r1 + 40);
  });
}
test('SRAM is cleared with the chip, and its code with it', () => {
  const pair = counting(SRAM + 0x1000);
  pair.tested.powerUp();
  assert.ok(pair.tested.memory.heads.every((head) => head <= 0));
});
test('the divider at an address that is known when it is translated', () => {
  const pair = new Pair({ core: 'translated' }), at = FLASH + 0x1000, EDGES = [0, 1, 7, 0x7fffffff, 0x80000000, 0xfffffff9, 0xffffffff];
  // movs r2, #0xd0; lsls r2, #24; adds r2, #0x60; str r0 and r1 [signed or not]; ldr r3 and r4 [both results]; ldr r5 [status]; b .
  for (const [dividend, divisor] of [[0x6010, 0x6051], [0x6090, 0x60d1]]) {
    begin(pair, [0x22d0, 0x0612, 0x3260, dividend, divisor, 0x6913, 0x6954, 0x6995, 0xe7fe], at);
    pair.translate(at);
    for (const a of EDGES) {
      for (const b of EDGES) {
        pair.each((core) => { core.registers[0] = a; core.registers[1] = b; core.PC = at; });
        run(pair, 100 * CYCLE_NS);
        assert.deepEqual(pair.differences(), [], `${a} by ${b}`);
      }
    }
  }
  assert.ok(pair.entered >= 98);
});
test('code in flash that is erased and programmed runs as programmed', () => {
  const at = FLASH + 0x2100, pair = counting(at), timing = { sector_erase_ns: 100, block_erase_ns: 100, page_program_ns: 100 };
  pair.both.forEach((p) => {
    const chip = new SsiFlash(p.rp2040, timing);
    chip.onChange = (from, size) => p.flashChanged(from, size);
    const command = (...bytes) => {
      chip.overrideChipSelect(2);
      for (const byte of bytes) chip.writeUint32(0x60, byte);
      chip.overrideChipSelect(3);
      p.clock.tick(200);
    };
    command(0x06);
    command(0x20, 0, 0x20, 0);
    command(0x06);
    command(0x02, 0, 0x21, 0, 0x05, 0x30, 0x01, 0x31, 0xfc, 0xe7);
  });
  goesOn(pair, (r0, r1) => r0 > r1 + 40);
});

function bl(from, to) {
  const offset = (to - from - 4) >> 1;
  return [0xf000 | ((offset >> 11) & 0x7ff), 0xf800 | (offset & 0x7ff)];
}
// r1 is `adds r0, #n`, and a nop above it; r2 and, for the last two, SP say where it goes; r4 is 0.
const STORES = { 'STRH imm': [0x8011], 'STRH reg': [0x5311], 'STRB imm': [0x7011], 'STRB reg': [0x5511], 'STR imm': [0x6011], 'STR reg': [0x5111],
  STM: [0x1c15, 0xc502], 'STR sp': [0x9100], PUSH: [0xb001, 0xb402] };
for (const [name, store] of Object.entries(STORES)) {
  for (const who of ['interpreted', 'translated']) {
    test(`${who} ${name} writes over translated code`, () => {
      const pair = new Pair({ core: 'translated' }), at = SRAM + 0x1000, code = SRAM + 0x1400;
      // store; adds r1, #1; bl code; b first. Code: adds r0, #0; nop; bx lr
      const writer = [...store, 0x3101, ...bl(at + 2 * store.length + 2, code)];
      begin(pair, [...writer, 0xe7fe - (writer.length + 1)], at, { 1: 0x46c03001, 2: code });
      [0x3000, 0x46c0, 0x4770].forEach((half, i) => pair.poke16(code + 2 * i, half));
      if (/sp|PUSH/.test(name)) pair.each((core) => { core.registers[SP] = code; });
      const { translations } = pair.tested.executor;
      for (let stop = 0; stop < 12; stop++) {
        translations.rewritten.clear();
        if (who === 'translated') pair.translate(at);
        pair.translate(code);
        assert.equal(translations.regions.length, who === 'translated' ? 2 : 1);
        run(pair, 200 + 13 * stop);
        assert.deepEqual(pair.differences(), [], `stop ${stop}`);
      }
      assert.ok(pair.tested.rp2040.core.registers[0] > 300 && pair.entered > 0);
    });
  }
}
test('a program that writes over itself runs as written, wherever it writes', () => {
  for (let place = 0; place < 8; place++) {
    const pair = new Pair({ core: 'translated' }), at = SRAM + 0x1000, { translations } = pair.tested.executor;
    // 8 nops; strh r1, [r2]; adds r1, #1; b first, where r1 is `adds r0, #n`
    begin(pair, [...new Array(8).fill(0x46c0), 0x8011, 0x3101, 0xe7f4], at, { 1: 0x3000, 2: at + 2 * place });
    translations.hot = 1;
    for (let stop = 0; stop < 8; stop++) {
      translations.rewritten.clear();
      run(pair, 777);
      assert.deepEqual(pair.differences(), [], `nop ${place}, stop ${stop}`);
    }
    assert.ok(pair.tested.rp2040.core.registers[0] > 100 && pair.entered >= 4, `nop ${place}: ${pair.tested.rp2040.core.registers[0]}, ${pair.entered}`);
  }
});
test('a region is made anew where a load turns out to go to peripherals', () => {
  const pair = new Pair({ core: 'translated' }), at = FLASH + 0x1000;
  begin(pair, [0x6811, 0x1840, 0xe7fc], at, { 2: 0x40001000 });     // ldr r1, [r2]; adds r0, r0, r1; b first
  pair.tested.executor.translations.hot = 2;
  pair.translate(at);
  run(pair, 5000);
  assert.deepEqual(pair.differences(), []);
  const before = pair.entered;
  pair.forget();
  run(pair, 5000);
  assert.deepEqual(pair.differences(), []);
  assert.ok(pair.seen[0].length > 50 && pair.entered - before < 5, `${pair.entered - before}`);
});
test('another chip: what is in flash stays where it is the same, what is in SRAM goes and may be translated again', () => {
  const pair = new Pair({ core: 'translated' }), { tested } = pair, { translations } = tested.executor;
  const same = FLASH + 0x1000, other = FLASH + 0x3000, code = SRAM + 0x1000;
  for (const at of [same, other, code]) {
    begin(pair, [0x3001, 0xe7fd], at);                              // adds r0, #1; b first
    pair.translate(at);
  }
  translations.rewritten.set(0, 100);
  const flash = tested.flash.slice(0, 0x200000);
  flash[other - FLASH] = 2;
  assert.ok(tested.renew(flash));
  assert.deepEqual([same, other, code].map((at) => translations.code.taken(at)), [true, false, false]);
  assert.equal(translations.rewritten.size, 0);
  assert.equal(tested.flash[other - FLASH], 2);
  translations.exits = tested.memory.exits.length;
  assert.ok(!tested.renew(flash), 'its tables are nearly full');
});
