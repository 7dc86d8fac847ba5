// Random programs in long stretches: sleep and wake, alarms, nested exceptions, changes of clk_sys, self-modifying
// code and the XIP cache, the core under test against the reference at every stop. The interpreter's reference is
// rp2040js's core; the interpreter is that of translated code.

import assert from 'node:assert/strict';
import test from 'node:test';
import { ENCODINGS, randomInstruction } from './encodings.mjs';
import { FLASH, PC, Pair, Random, SP, SRAM } from './machines.mjs';

const PROGRAMS = +(process.env.FUZZ_PROGRAMS ?? 150), SEED = +(process.env.FUZZ_SEED ?? 1), STOPS = 20;
const CODE = SRAM + 0x400, CODE_SIZE = 0x2000, DATA = SRAM + 0x8000, FLASH_CODE = FLASH + 0x400;
const COMMON = ['LDR imm', 'STR imm', 'LDRB imm', 'STRB imm', 'LDR reg', 'STR reg', 'LDR literal', 'LDR sp', 'STR sp', 'ADDS reg', 'SUBS imm8',
  'MOVS imm', 'MOV any', 'CMP imm', 'BNE', 'BEQ', 'BCC', 'BLT', 'B', 'BL', 'PUSH LR', 'POP', 'LDM', 'STM', 'LSLS imm'];
const RARE = ['BX', 'BLX', 'POP PC', 'UDF', 'BKPT', 'MSR', 'WFI', 'WFE', 'SVC'];

// Branches mostly stay near, and IO is reached by r5 and r6.
function program(random, at, size) {
  const names = Object.keys(ENCODINGS), halves = [];
  while (halves.length < size / 2) {
    const name = random.chance(0.6) ? random.pick(COMMON) : random.pick(names);
    if (RARE.includes(name) && random.chance(0.6)) continue;
    const one = randomInstruction(name, random);
    if (/^B[A-Z]{2}$/.test(name) && name !== 'BLX') one[0] = (one[0] & 0xff00) | (random.chance(0.5) ? random.below(16) : 256 - random.below(16));
    if (name === 'B') one[0] = 0xe000 | (random.chance(0.5) ? random.below(32) : 2048 - random.below(32));
    if (name === 'BL') { const to = random.below(400) - 200; one[0] = 0xf000 | (to < 0 ? 0x7ff : 0); one[1] = 0xf800 | (to & 0x7ff); }
    if (/^(STR|LDR) imm$/.test(name) && random.chance(0.5)) one[0] = (one[0] & 0xf807) | (random.below(16) << 6) | ((5 + random.below(2)) << 3);
    halves.push(...one);
  }
  return halves.slice(0, size / 2);
}

function prepare(pair, random) {
  const write = (at, halves) => pair.each((_, { rp2040 }) => halves.forEach((half, i) => {
    if (at >= SRAM) rp2040.sramView.setUint16(at + 2 * i - SRAM, half, true); else rp2040.flash16[((at - FLASH) >>> 1) + i] = half;
  }));
  write(CODE, program(random, CODE, CODE_SIZE));
  write(FLASH_CODE, program(random, FLASH_CODE, CODE_SIZE));
  const somewhere = () => random.pick([CODE, FLASH_CODE]) + 2 * random.below(CODE_SIZE / 2 - 64);
  pair.written();
  for (let i = 0; i < 48; i++) pair.poke32(SRAM + 4 * i, somewhere() | 1);
}

function launch(pair, random) {
  const registers = Array.from({ length: 15 }, () => random.pick([random.below(64), random.u32(), DATA + 4 * random.below(2000),
    FLASH_CODE + random.below(CODE_SIZE), CODE + random.below(CODE_SIZE)]));
  registers[5] = 0x40000000; registers[6] = random.pick([0x40000040, 0x50100000, 0xd0000000]);
  registers[14] = random.pick([CODE, FLASH_CODE]) + 2 * random.below(CODE_SIZE / 2) + 1;
  const start = random.pick([CODE, FLASH_CODE]) + 2 * random.below(CODE_SIZE / 2);
  const shared = { enabled: random.u32() | 0, shpr: random.u32(), pm: random.chance(0.2), spsel: random.chance(0.3) ? 1 : 0 };
  pair.each((core) => {
    core.registers.set(registers);
    core.registers[SP] = DATA + 0x4000; core.bankedSP = DATA + 0x8000; core.registers[PC] = start;
    core.currentMode = 0; core.IPSR = 0; core.SPSEL = shared.spsel; core.PM = shared.pm; core.waiting = false;
    core.VTOR = SRAM; core.enabledInterrupts = shared.enabled; core.SHPR3 = shared.shpr; core.interruptsUpdated = true;
    core.pendingInterrupts = 0;
  });
}

for (const [core, missCycles] of [['fast', 0], ['fast', 50], ['translated', 0], ['translated', 50]]) {
  test(`random programs, ${core}, ${missCycles} cycles a miss`, () => {
    const pair = new Pair({ core, missCycles }), random = new Random(SEED + missCycles);
    const { translations } = pair.tested.executor;
    if (translations) translations.hot = 2;
    pair.fill(random);
    let slept = 0, accesses = 0, alarms = 0;
    for (let n = 0; n < PROGRAMS; n++) {
      prepare(pair, random);
      for (let stop = 0; stop < STOPS; stop++) {
        if (stop % 5 === 0) launch(pair, random);
        const ns = 500 + random.below(20_000), idle = pair.both.map((p) => p.run(p.clock.nanosCounter + ns));
        assert.deepEqual(pair.differences(), [], `program ${n}, stop ${stop}`);
        assert.equal(idle[0], idle[1], `time asleep, program ${n}, stop ${stop}`);
        slept += idle[0];
        accesses += pair.seen[0].length;
        alarms += pair.seen[0].filter(([what]) => what === 'alarm' || what === 'tick').length;
        pair.forget();
      }
      assert.equal(pair.flashDifference(), -1);
    }
    const { clock, cache } = pair.tested;
    if (translations) assert.ok(pair.entered > 10_000, `translated code has run ${pair.entered} times`);
    assert.ok(slept > 0 && alarms > 100 && accesses > 1000, 'the programs do something');
    assert.ok(slept < 0.7 * clock.nanosCounter, 'and not only sleep');
    if (cache) assert.ok(cache.misses > 1000 && cache.hits > cache.misses);
  });
}

test('code that has just been written runs as written', () => {
  const pair = new Pair();
  const code = [
    0x4903,             // ldr r1, [pc, #12]     the instruction to write: adds r0, #5
    0x8011 | (2 << 3),  // strh r1, [r2]         r2 is the address of the nop below
    0xbf00,             // nop
    0xe7fd,             // b to the nop
  ];
  code[1] = 0x8011;
  code.forEach((half, i) => pair.poke16(CODE + 2 * i, half));
  pair.poke32(CODE + 16, 0x3005);
  pair.each((core) => { core.registers.fill(0); core.registers[2] = CODE + 4; core.PC = CODE; });
  pair.both.forEach((p) => p.run(p.clock.nanosCounter + 1000));
  assert.deepEqual(pair.differences(), []);
  assert.ok(pair.tested.rp2040.core.registers[0] >= 5 * 30);
});
