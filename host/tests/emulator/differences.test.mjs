// Where rp2040js 1.4.1 departs from the ARMv6-M Architecture Reference Manual, one by one: the core under test does what
// the manual says. Each also shows what rp2040js does, so that a mended rp2040js is noticed.

import assert from 'node:assert/strict';
import test from 'node:test';
import { LR, SRAM, makeProcessor } from './machines.mjs';

const CODE = SRAM + 0x1000, HANDLER = SRAM + 0x2000;

// Runs `halves` on both cores from one state, as many instructions as `steps`, and returns what `look` sees in each.
function onBoth(halves, setUp, look, steps = 1) {
  return ['fast', 'library'].map((kind) => {
    const processor = makeProcessor({ core: kind }), { rp2040, clock } = processor, { core } = rp2040;
    halves.forEach((half, i) => rp2040.sramView.setUint16(CODE - SRAM + 2 * i, half, true));
    core.PC = CODE;
    core.SP = SRAM + 0x8000;
    core.enabledInterrupts = -1;
    setUp(core, processor);
    for (let i = 0; i < steps; i++) { clock.stopAt = clock.nanosCounter; processor.executor.run(); }
    return look(core, processor);
  });
}
function differ(title, halves, setUp, look, manual, library, steps = 1) {
  test(title, () => {
    const [fast, theirs] = onBoth(halves, setUp, look, steps);
    assert.deepEqual(fast, manual, 'what the manual says');
    assert.deepEqual(theirs, library, 'what rp2040js does');
  });
}
const set = (registers, flags = {}) => (core) => {
  for (const [n, v] of Object.entries(registers)) core.registers[n] = v;
  Object.assign(core, flags);
};
const flag = (name) => (core) => core[name];

// A2.2.1 AddWithCarry: overflow is that of the whole sum, carry included.
differ('ADCS: V of 0x7fffffff + 0 + carry', [0x4148], set({ 0: 0x7fffffff, 1: 0 }, { C: true }), flag('V'), true, false);
differ('ADCS: V of 0x7fffffff + 0x80000000 + carry', [0x4148], set({ 0: 0x7fffffff, 1: 0x80000000 }, { C: true }), flag('V'), false, true);
differ('SBCS: V of 0 - 0x7fffffff - borrow', [0x4188], set({ 0: 0, 1: 0x7fffffff }, { C: false }), flag('V'), false, true);

// A6.7: a shift by a register that holds 0 leaves C alone; beyond 32 a left shift has no carry.
differ('LSRS by 0 keeps C', [0x40c8], set({ 0: 0x80000000, 1: 0 }, { C: false }), flag('C'), false, true);
differ('ASRS by 0 keeps C', [0x4108], set({ 0: 0x80000000, 1: 0 }, { C: false }), flag('C'), false, true);
differ('RORS by 0 keeps C', [0x41c8], set({ 0: 0x80000000, 1: 0 }, { C: false }), flag('C'), false, true);
differ('LSLS by 33 clears C', [0x4088], set({ 0: 0x80000000, 1: 33 }), flag('C'), false, true);

differ('STM writes back with its base in the list', [0xc003], set({ 0: SRAM + 0x4000, 1: 7 }), (core) => core.registers[0],
  SRAM + 0x4008, SRAM + 0x4000);
differ('BLX LR branches to the old LR', [0x47f0], set({ [LR]: HANDLER | 1 }), (core) => core.PC, HANDLER, CODE + 2);
differ('SEV sets the event register', [0xbf40], set({}, { eventRegistered: false }), flag('eventRegistered'), true, false);

// B5.2.2, B5.2.3: EPSR reads as zero, IPSR is read-only, the combined registers exist, SP is a multiple of 4.
differ('MRS XPSR reads the Thumb bit as 0', [0xf3ef, 0x8003], set({}, { Z: true }), (core) => core.registers[0], 0x40000000, 0x41000000);
differ('MRS IAPSR', [0xf3ef, 0x8001], set({}, { Z: true, IPSR: 16, currentMode: 1 }), (core) => core.registers[0], 0x40000010, 0);
differ('MSR XPSR does not write IPSR', [0xf380, 0x8803], set({ 0: 0x80000011 }), (core) => [core.IPSR, core.N], [0, true], [0x11, true]);
differ('MSR IPSR does nothing', [0xf380, 0x8805], set({ 0: 0x11 }), flag('IPSR'), 0, 0x11);
differ('MSR PSP keeps the low bits clear', [0xf380, 0x8809], set({ 0: SRAM + 0x103 }), (core) => core.SPprocess, SRAM + 0x100, SRAM + 0x103);

// B1.5.6: the Thumb bit of the vector is not part of the PC.
differ('the PC read in a handler is even', [], (core, { rp2040 }) => {
  rp2040.sramView.setUint32(16 * 4, HANDLER | 1, true);
  rp2040.sramView.setUint16(HANDLER - SRAM, 0x4678, true);                      // mov r0, pc
  core.VTOR = SRAM;
  core.setInterrupt(0, true);
}, (core) => core.registers[0], HANDLER + 4, HANDLER + 5);

// Sleep: B1.5, "Wait For Interrupt". Both cores wake as the manual says, for it is mended outside of the core.
const SLEEP = [0xbf30, 0x2001, 0xb662, 0x2002, 0xe7fe];                         // wfi; movs r0, #1; cpsie i; movs r0, #2; b .
function asleep(kind, setUp, ns) {
  const processor = makeProcessor({ core: kind }), { rp2040, clock } = processor, { core } = rp2040;
  SLEEP.forEach((half, i) => rp2040.sramView.setUint16(CODE - SRAM + 2 * i, half, true));
  rp2040.sramView.setUint32(16 * 4, HANDLER | 1, true);
  rp2040.sramView.setUint32(15 * 4, HANDLER | 1, true);
  const handler = [0x2107, 0x0002, 0xe7fe];                                     // movs r1, #7; movs r2, r0; b .
  handler.forEach((half, i) => rp2040.sramView.setUint16(HANDLER - SRAM + 2 * i, half, true));
  Object.assign(core, { PC: CODE, SP: SRAM + 0x8000, VTOR: SRAM, enabledInterrupts: -1 });
  setUp(core, processor);
  return { idle: processor.run(ns), core, clock };
}
for (const kind of ['fast', 'library']) {
  test(`${kind}: an interrupt that is pending already ends WFI at once, and waits for PRIMASK`, () => {
    const { idle, core } = asleep(kind, (c) => { c.PM = true; c.setInterrupt(0, true); }, 2000);
    assert.equal(idle, 0);
    assert.equal(core.registers[1], 7);
    assert.equal(core.registers[2], 1, 'the handler came after CPSIE, not inside the critical section');
  });
  test(`${kind}: an alarm ends WFI; entering the handler costs its 27 cycles`, () => {
    const { idle, core } = asleep(kind, (c, { clock }) => clock.createAlarm(() => c.setInterrupt(0, true)).schedule(1000), 2000);
    assert.equal(idle, 1000 - 2 * 8);
    assert.equal(core.registers[1], 7);
    const early = asleep(kind, (c, { clock }) => clock.createAlarm(() => c.setInterrupt(0, true)).schedule(1000), 1000 + 27 * 8 + 1);
    assert.equal(early.core.registers[1], 7);
    assert.equal(early.clock.nanosCounter, 1000 + 28 * 8);
  });
  test(`${kind}: SysTick ends WFI`, () => {
    const tick = (c) => { c.pendingSystick = true; c.interruptsUpdated = true; };
    const { core, idle } = asleep(kind, (c, { clock }) => clock.createAlarm(() => tick(c)).schedule(1000), 2000);
    assert.ok(idle > 0 && idle < 1000);
    assert.equal(core.registers[1], 7);
  });
  test(`${kind}: an interrupt of no higher priority does not end a handler's WFI`, () => {
    const { idle } = asleep(kind, (c) => { c.currentMode = 1; c.IPSR = 17; c.setInterrupt(0, true); }, 2000);
    assert.equal(idle, 2000 - 2 * 8);
  });
}
