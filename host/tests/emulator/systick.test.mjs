// SysTick and ICSR as sections B3.2.4 and B3.3 of the ARMv6-M Architecture Reference Manual have them.

import assert from 'node:assert/strict';
import test from 'node:test';
import { SRAM, makeProcessor } from './machines.mjs';

const CSR = 0xe000e010, RVR = 0xe000e014, CVR = 0xe000e018, ICSR = 0xe000ed04, SHPR3 = 0xe000ed20;
const ISER = 0xe000e100, ISPR = 0xe000e200;
const COUNTFLAG = 0x10000, PENDSTSET = 1 << 26, PENDSTCLR = 1 << 25, ISRPENDING = 1 << 22;
const CODE = SRAM + 0x1000, HANDLER = SRAM + 0x2000;

// A processor that runs `b .`, at `hz`.
function running(hz = 125e6) {
  const processor = makeProcessor({ hz }), { rp2040, clock } = processor;
  rp2040.sramView.setUint16(CODE - SRAM, 0xe7fe, true);
  Object.assign(rp2040.core, { PC: CODE, SP: SRAM + 0x8000, VTOR: SRAM });
  return {
    ...processor,
    core: rp2040.core,
    clock,
    read: (at) => rp2040.readUint32(at) >>> 0,
    write: (at, value) => rp2040.writeUint32(at, value),
    cycles: (n) => clock.tick(n * clock.period),
    run: (n) => processor.run(clock.nanosCounter + n * clock.period),
    processor,
  };
}

test('counts RVR down to 0 and reloads: one period is RVR + 1 cycles', () => {
  const m = running();
  m.write(RVR, 9);
  m.write(CVR, 123);
  m.write(CSR, 5);
  const seen = [];
  for (let i = 0; i < 24; i++) { seen.push(m.read(CVR)); m.cycles(1); }
  const period = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0];
  assert.deepEqual(seen, [0, ...period, ...period, 9, 8, 7]);
});

test('COUNTFLAG is set on reaching 0 and cleared by being read, and by writing CVR', () => {
  const m = running();
  m.write(RVR, 9);
  m.write(CVR, 0);
  m.write(CSR, 5);
  m.cycles(9);
  assert.equal(m.read(CSR), 5);
  m.cycles(1);
  assert.equal(m.read(CSR), 5 | COUNTFLAG);
  assert.equal(m.read(CSR), 5);
  m.cycles(25);
  m.write(CVR, 1);
  assert.equal(m.read(CSR), 5);
  assert.equal(m.core.pendingSystick, false, 'without TICKINT nothing is pending');
});

for (const hz of [125e6, 133e6, 48e6]) {
  test(`no cycle is lost in 100,000 periods at ${hz / 1e6} MHz`, () => {
    const m = running(hz);
    let ticks = 0, last = 0;
    Object.defineProperty(m.core, 'pendingSystick', { set() { ticks++; last = m.clock.nanosCounter; }, get: () => false });
    m.write(RVR, 24_999);
    m.write(CVR, 0);
    m.write(CSR, 7);
    const start = m.clock.nanosCounter;
    m.cycles(25_000 * 100_000 + 10);
    assert.equal(ticks, 100_000);
    assert.ok(Math.abs((last - start) / m.clock.period - 25_000 * 100_000) < 0.01);
  });
}

test('a new RVR counts from the next reload on; 0 stops the count there', () => {
  const m = running();
  m.write(RVR, 99);
  m.write(CVR, 0);
  m.write(CSR, 5);
  m.cycles(50);
  m.write(RVR, 9);
  assert.equal(m.read(CVR), 50);
  m.cycles(50);
  assert.equal(m.read(CVR), 0);
  m.cycles(1);
  assert.equal(m.read(CVR), 9);
  m.write(RVR, 0);
  m.cycles(9);
  assert.equal(m.read(CSR), 5 | COUNTFLAG);
  m.cycles(1000);
  assert.deepEqual([m.read(CVR), m.read(CSR)], [0, 5]);
  m.write(RVR, 3);
  m.cycles(2);
  assert.equal(m.read(CVR), 2);
});

test('disabling holds the count, a change of clk_sys keeps it', () => {
  const m = running();
  m.write(RVR, 999);
  m.write(CVR, 0);
  m.write(CSR, 5);
  m.cycles(101);
  m.write(CSR, 4);
  m.cycles(500);
  assert.equal(m.read(CVR), 899);
  m.write(CSR, 5);
  m.clock.setFrequency(62.5e6);
  for (const listener of m.rp2040.clockListeners) listener(62.5e6, 125e6);
  m.clock.tick(100 * 16);
  assert.equal(m.read(CVR), 799);
});

test('CLKSOURCE 0 counts microseconds', () => {
  const m = running();
  m.write(RVR, 99);
  m.write(CVR, 0);
  m.write(CSR, 1);
  m.clock.tick(40_000);
  assert.equal(m.read(CVR), 60);
});

test('ICSR and NVIC_ISPR show what is pending while PRIMASK is set, enabled interrupts only in VECTPENDING', () => {
  const m = running();
  m.core.PM = true;
  m.write(SHPR3, 0x40000000);
  m.write(ICSR, PENDSTSET);
  assert.equal(m.read(ICSR), PENDSTSET | (15 << 12));
  m.core.setInterrupt(3, true);
  assert.equal(m.read(ISPR), 8);
  assert.equal(m.read(ICSR), PENDSTSET | ISRPENDING | (15 << 12), 'interrupt 3 is not enabled');
  m.write(ISER, 8);
  assert.equal(m.read(ICSR), PENDSTSET | ISRPENDING | (19 << 12), 'priority 0 comes before 1');
  m.write(ICSR, PENDSTCLR);
  m.run(100);
  assert.equal(m.read(ICSR), ISRPENDING | (19 << 12));
  assert.equal(m.core.IPSR, 0);
});

test('the exception comes every RVR + 1 cycles, also out of sleep', () => {
  for (const wfi of [false, true]) {
    const m = running();
    const code = wfi ? [0xbf30, 0xe7fd] : [0xe7fe];                      // wfi; b to it, or b .
    code.forEach((half, i) => m.rp2040.sramView.setUint16(CODE - SRAM + 2 * i, half, true));
    [0x3401, 0x4770].forEach((half, i) => m.rp2040.sramView.setUint16(HANDLER - SRAM + 2 * i, half, true));   // adds r4, #1; bx lr
    m.rp2040.sramView.setUint32(15 * 4, HANDLER | 1, true);
    m.core.registers[4] = 0;
    m.write(RVR, 999);
    m.write(CVR, 0);
    m.write(CSR, 7);
    m.run(500_400);
    assert.equal(m.core.registers[4], 500);
  }
});
