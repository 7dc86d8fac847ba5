// Two processors in step: one runs the core under test, the other rp2040js's own core, put right where it departs from
// the ARMv6-M Architecture Reference Manual, or the interpreter, for what has been translated. Whatever is not memory is a recorder with effects on clock and interrupts.

import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const emulator = process.env.WRENCH_EMULATOR ?? path.join(here, '../../wrench/bench/emulator');
export const emulatorModule = (name) => import(pathToFileURL(path.join(emulator, name)).href);
const { Processor } = await emulatorModule('processor.mjs');

export const SRAM = 0x20000000, SRAM_SIZE = 0x42000, FLASH = 0x10000000, BOOTROM_SIZE = 0x4000;
export const SP = 13, LR = 14, PC = 15;

// A small seeded generator (mulberry32), so that a failure can be had again.
export class Random {
  constructor(seed) { this.state = seed; }
  u32() {
    let t = this.state = (this.state + 0x6d2b79f5) | 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  below(n) { return this.u32() % n; }
  chance(p) { return this.u32() < p * 2 ** 32; }
  pick(list) { return list[this.below(list.length)]; }
}

export function makeProcessor({ core = 'fast', missCycles = 0, hz = 125e6 } = {}) {
  const processor = new Processor({ bootrom: new Uint32Array(BOOTROM_SIZE / 4), core, missCycles });
  processor.powerUp();
  processor.rp2040.logger = { debug() {}, info() {}, warn() {}, error() {} };
  processor.clock.setFrequency(hz);
  return processor;
}

// rp2040js's core as the manual would have it: the reference.
class ManualCore {
  constructor(processor) {
    this.core = processor.rp2040.core;
    this.rp2040 = processor.rp2040;
    this.clock = processor.clock;
  }
  run() {
    const { core, rp2040, clock } = this;
    const entered = core.interruptsUpdated && core.checkForInterrupts();
    core.PC &= ~1;                                  // rp2040js keeps the vector's Thumb bit in the PC
    core.interruptsUpdated = false;                 // executeInstruction must not look a second time
    const at = core.PC, op = peek16(rp2040, at), op2 = peek16(rp2040, at + 2);
    const before = { r: Uint32Array.from(core.registers, (v, i) => (i === PC ? at + 2 : v)), c: core.C, apsr: core.APSR, ipsr: core.IPSR };
    const cost = core.executeInstruction();
    amend(core, before, op, op2);
    core.PC &= ~1;
    core.interruptsUpdated ||= entered;
    clock.charge(cost);
  }
}

function peek16(rp2040, at) {
  at >>>= 0;
  if (at < 0x40000000) return rp2040.readUint16(at);
  return (io(at & ~3) >>> (at & 2) * 8) & 0xffff;
}

// Every instruction in which rp2040js departs from the manual; differences.test.mjs shows each of them.
function amend(core, before, op, op2) {
  const r = core.registers, b = before.r, m = (op >> 3) & 7, d = op & 7;
  switch (op >> 6) {
    case 0b0100000101: core.V = overflows(b[d], b[m], before.c); return;                       // ADCS
    case 0b0100000110: core.V = overflows(b[d], ~b[m] >>> 0, before.c); return;                // SBCS
    case 0b0100000010: core.C = shiftCarry('LSL', b[d], b[m] & 255, before.c); return;
    case 0b0100000011: core.C = shiftCarry('LSR', b[d], b[m] & 255, before.c); return;
    case 0b0100000100: core.C = shiftCarry('ASR', b[d], b[m] & 255, before.c); return;
    case 0b0100000111: core.C = shiftCarry('ROR', b[d], b[m] & 255, before.c); return;
  }
  if (op >> 11 === 0b11000) {                                                                  // STM writes back always
    const n = (op >> 8) & 7;
    let count = 0;
    for (let i = 0; i < 8; i++) count += (op >> i) & 1;
    r[n] = b[n] + 4 * count;
  } else if (op === 0b0100011111110000) {                                                      // BLX LR
    core.PC = b[LR] & ~1;
  } else if (op === 0xbf40) {                                                                  // SEV
    core.eventRegistered = true;
  } else if (op === 0xf3ef && op2 >> 12 === 8 && (op2 & 255) < 8) {                            // MRS, program status
    const sysm = op2 & 255;
    const rd = (op2 >> 8) & 15;
    r[rd] = ((sysm & 4 ? 0 : before.apsr) | (sysm & 1 ? before.ipsr : 0)) + (rd === PC ? 2 : 0);
  } else if (op >> 4 === 0xf38 && op2 >> 8 === 0x88) {                                         // MSR
    const sysm = op2 & 255;
    if (sysm < 8) { core.IPSR = before.ipsr; core.APSR = sysm & 4 ? before.apsr : b[op & 15]; }
    if (sysm === 8) core.SPmain = b[op & 15] & ~3;
    if (sysm === 9) core.SPprocess = b[op & 15] & ~3;
  }
}

// AddWithCarry, A2.2.1 of the manual.
function overflows(x, y, carry) {
  const sum = BigInt(x | 0) + BigInt(y | 0) + BigInt(carry);
  return sum !== BigInt.asIntN(32, sum);
}
// Shift_C, A2.2.1: the carry out of a shift by 0 to 255; by 0 it stays.
function shiftCarry(kind, x, n, carry) {
  if (n === 0) return carry;
  const wide = BigInt(x >>> 0), at = BigInt(n);
  switch (kind) {
    case 'LSL': return ((wide << at) >> 32n & 1n) === 1n;
    case 'LSR': return (wide >> (at - 1n) & 1n) === 1n;
    case 'ASR': return (BigInt(x | 0) >> (at - 1n) & 1n) === 1n;
    case 'ROR': return (wide >> ((at - 1n) & 31n) & 1n) === 1n;
  }
  throw new Error(kind);
}

const io = (address) => Math.imul((address >>> 2) ^ 0x9e3779b9, 0x85ebca6b) >>> 0;

const isDivider = (address) => address >= 0xd0000060 && address < 0xd000007c && address % 4 === 0;

// Puts a recorder in the place of everything from 0x40000000 up, but the divider. Writes below 0x40000100 act on clock and interrupts,
// as peripherals do.
function recordBus(processor, callsToo) {
  const { rp2040, clock } = processor, { core } = rp2040, seen = [];
  const alarm = clock.createAlarm(() => { seen.push(['alarm', clock.nanosCounter]); core.setInterrupt(alarm.irq, true); });
  const ticks = clock.createAlarm(() => {
    seen.push(['tick', clock.nanosCounter]);
    core.pendingSystick = true;
    core.interruptsUpdated = true;
    ticks.schedule(ticks.every);
  });
  const effects = [
    (value) => { alarm.irq = value & 31; alarm.schedule((value >>> 8) % 4000); },
    (value) => core.setInterrupt(value & 31, true),
    (value) => core.setInterrupt(value & 31, false),
    (value) => clock.tick(value % 3000),
    (value) => clock.setFrequency([125e6, 133e6, 48e6, 12e6][value & 3]),
    (value) => { core.enabledInterrupts ^= value; core.interruptsUpdated = true; },
    (value) => { core.pendingPendSV = true; core.interruptsUpdated = true; },
    (value) => { ticks.every = 500 + value % 5000; ticks.schedule(ticks.every); },
    () => { core.eventRegistered = true; },
  ];
  for (const name of ['readUint8', 'readUint16', 'readUint32']) {
    const read = rp2040[name].bind(rp2040);
    rp2040[name] = (address) => {
      address >>>= 0;
      if (address < 0x40000000 || (name.endsWith('32') && isDivider(address))) return read(address);
      seen.push([name, address, clock.nanosCounter]);
      const word = io(address & ~3);
      return name === 'readUint32' ? word : name === 'readUint16' ? (word >>> (address & 2) * 8) & 0xffff : (word >>> (address & 3) * 8) & 0xff;
    };
  }
  for (const name of ['writeUint8', 'writeUint16', 'writeUint32']) {
    const write = rp2040[name].bind(rp2040);
    rp2040[name] = (address, value) => {
      address >>>= 0;
      if (address < 0x40000000 || (name.endsWith('32') && isDivider(address))) { write(address, value); return; }
      seen.push([name, address, value, clock.nanosCounter, core.PC & ~1]);
      if (address < 0x40000100) effects[(address >>> 2) % effects.length](value);
    };
  }
  rp2040.onBreak = (code) => seen.push(['break', code, core.PC & ~1, clock.nanosCounter]);
  if (callsToo) core.blTaken = (_, blx) => seen.push(['call', blx]);
  return seen;
}

export class Pair {
  constructor({ core = 'fast', ...options } = {}) {
    const translated = core === 'translated';
    this.tested = makeProcessor({ ...options, core });
    this.reference = makeProcessor({ ...options, core: translated ? 'fast' : 'library' });
    if (!translated) this.reference.executor = new ManualCore(this.reference);
    this.both = [this.tested, this.reference];
    this.seen = this.both.map((p) => recordBus(p, !translated));           // translated code tells nobody of its calls
    this.entered = 0;
    if (!translated) return;
    const { executor } = this.tested, { enter } = executor.engine;
    executor.engine = { ...executor.engine, enter: (...all) => { this.entered++; return enter(...all); } };
  }
  // What has been written from here, past everything that could notice.
  written() { this.each((_, { memory }) => [0, FLASH, SRAM].forEach((at) => memory.changed(at, 0x1000000))); }
  translate(at) {
    const { translations } = this.tested.executor;
    translations.waiting.push(at);
    translations.translate();
  }
  each(f) { this.both.forEach((p) => f(p.rp2040.core, p)); }
  fill(random) {
    const [a, b] = this.both.map((p) => p.rp2040);
    for (const [name, size] of [['sram', SRAM_SIZE], ['flash', 1 << 16]]) {
      for (let i = 0; i < size; i++) a[name][i] = random.below(256);
      b[name].set(a[name].subarray(0, size));
    }
    for (let i = 0; i < BOOTROM_SIZE / 4; i++) a.bootrom[i] = b.bootrom[i] = random.u32();
    this.written();
  }
  poke16(at, value) {
    this.each((_, { memory, rp2040 }) => {
      memory.changed(at, 2);
      if (at >= SRAM) rp2040.sramView.setUint16(at - SRAM, value, true);
      else if (at >= FLASH) rp2040.flash16[(at - FLASH) >>> 1] = value;
      else rp2040.bootrom[at >>> 2] = at & 2 ? (rp2040.bootrom[at >>> 2] & 0xffff) | (value << 16) : (rp2040.bootrom[at >>> 2] & ~0xffff) | value;
    });
  }
  poke32(at, value) { this.poke16(at, value & 0xffff); this.poke16(at + 2, value >>> 16); }
  step() { this.each((_, p) => { p.clock.stopAt = p.clock.nanosCounter; p.executor.run(); }); }

  // The names of all that differs, with both values.
  differences() {
    const interpreted = !(this.reference.executor instanceof ManualCore);
    const [a, b] = this.both.map((p) => state(p, interpreted)), found = [];
    for (const key of Object.keys(a)) if (a[key] !== b[key]) found.push(`${key}: ${show(a[key])}, should be ${show(b[key])}`);
    const [x, y] = this.both.map((p) => p.rp2040.sram);
    if (Buffer.compare(x, y)) { const at = x.findIndex((v, i) => v !== y[i]); found.push(`SRAM at ${show(SRAM + at)}: ${x[at]}, should be ${y[at]}`); }
    const [s, t] = this.seen;
    if (JSON.stringify(s) !== JSON.stringify(t)) {
      const at = s.findIndex((v, i) => JSON.stringify(v) !== JSON.stringify(t[i]));
      found.push(`access ${at}: ${s[at]}, should be ${t[at]} (${s.length} and ${t.length} in all)`);
    }
    return found;
  }
  flashDifference() {
    const [a, b] = this.both.map((p) => p.rp2040.flash);
    return Buffer.compare(a, b) ? a.findIndex((v, i) => v !== b[i]) : -1;
  }
  forget() { for (const s of this.seen) s.length = 0; }
}

const show = (v) => typeof v === 'number' && Number.isInteger(v) && v >= 0 ? `0x${v.toString(16)}` : v;

// rp2040js's core looks up every halfword that it fetches.
function state({ rp2040: { core }, clock, cache }, hits) {
  const s = {};
  core.registers.forEach((v, i) => { s[`r${i}`] = i === PC ? (v & ~1) >>> 0 : v; });
  for (const name of ['N', 'Z', 'C', 'V', 'bankedSP', 'SPSEL', 'currentMode', 'IPSR', 'nPRIV', 'PM', 'waiting', 'eventRegistered',
    'pendingNMI', 'pendingSVCall', 'pendingPendSV', 'pendingSystick', 'pendingInterrupts', 'enabledInterrupts', 'VTOR',
    'breakRewind']) s[name] = core[name];
  s.nanos = clock.nanosCounter;
  s.cycles = clock.totalCycles;
  if (cache) s.misses = cache.misses;
  if (cache && hits) s.hits = cache.hits;
  return s;
}
