// Executes ARMv6-M instructions in place of rp2040js's executeInstruction, in long stretches.
//
// Written from the ARMv6-M Architecture Reference Manual (ARM DDI 0419): encodings from chapter A5, behaviour from
// chapter A6 and part B. rp2040js's core object stays the holder of the architectural state: registers are shared with
// it, and PC, flags and device time are put there whenever anything else can look. Exceptions and the NVIC are its own.
//
// Instructions are decoded by their value, never by their address: code written to SRAM runs as it stands at that
// moment. A stretch ends at the next alarm, at the end of the step, or when a peripheral, a special register or an
// exception return has changed something that the loop outside must look at first.
//
// Not modelled, as in rp2040js: faults (an undefined instruction does nothing, an unaligned access gets some data) and
// the unprivileged level.

import { XipCache } from './cost_model.mjs';
import { Divider } from './divider.mjs';
import { OPS } from './instruction_set.mjs';
import * as sizes from './memory.mjs';

// Copies, because V8 folds constants of this module only.
const { BOOTROM_AT, BOOTROM_SIZE, FLASH_AT, FLASH_SIZE, SRAM_AT, SRAM_SIZE } = sizes;
const FLASH = 0x10, FLASH_BASE = 0x10000000, SRAM_BASE = 0x20000000, APB = 0x4, SIO = 0xd;
const SIO_DIVIDER = 0xd0000060 | 0, SIO_DIVIDER_SIZE = 0x1c;
const LINE = 8;                                                  // bytes of an XIP cache line
const SP = 13, LR = 14, PC = 15;
const HANDLER = 1;                                               // core.currentMode
const NONE = -1;

export class FastCore {
  constructor(memory) {
    this.memory = memory;
    this.divider = new Divider(memory.cells);
    this.execute = executorFor(this, memory);

    // What the slow paths hand back to `execute`.
    this.cycles = 0;            // device time, as clock.cycles
    this.limit = 0;             // where the stretch ends
    this.from = 0;              // while the PC is in [from, from + span), its instruction is at PC - shift in memory.all16
    this.span = 0;
    this.shift = 0;
    this.until = 0;             // the clock's next event when the stretch began
    this.base = 0;              // clock.base and clock.period when the slow path began
    this.period = 0;
  }

  // From now on this chip runs, with `memory` as its own. `cache`: an XipCache, or null to let flash cost nothing extra.
  attach(rp2040, clock, cache) {
    this.rp2040 = rp2040;
    this.core = rp2040.core;
    this.clock = clock;
    this.cache = cache;
    this.divider.attach(rp2040.sio);
    this.noCallHook = this.core.blTaken;
    this.span = 0;
  }

  // The chip will be another one, with what it has learned of its code. False: it has learned too much for that.
  renew() { return true; }

  // Runs until the clock's next event, at least one instruction.
  run() {
    const { core, clock } = this, counted = clock.totalCycles;
    let once = false;
    if (core.interruptsUpdated) once = core.checkForInterrupts();     // a second one may preempt the first
    if (this.cache) this.span = 0;
    this.until = clock.nextEvent;
    this.limit = once ? 0 : clock.cyclesAt(this.until);
    this.execute();
    core.cycles += clock.totalCycles - counted;
  }

  // There has been a branch to `pc`; true ends `execute` there, though not the stretch.
  arrives() { return false; }

  // ---- slow paths: each leaves its result in this.cycles, this.limit and the window (from, span, shift) ----------

  // Shows the state before this instruction to whatever is called next: PC and device time.
  enter(pc, cycles) {
    const { clock } = this;
    this.memory.registers32[PC] = pc;
    this.base = clock.base;
    this.period = clock.period;
    clock.cycles = cycles;
    clock.nanosCounter = clock.base + cycles * clock.period;
  }
  // Ends the stretch when what was called has changed anything that the stretch was planned by.
  leave(cost) {
    const { core, clock } = this;
    if (core.interruptsUpdated || core.waiting || clock.base !== this.base || clock.period !== this.period ||
        clock.nextEvent !== this.until) this.limit = 0;
    this.cycles = clock.cycles + cost;
  }

  // The instruction at `pc`, and the window in which the next ones can be had without asking.
  fetch(pc, cycles) {
    this.cycles = cycles;
    if (pc >>> 24 === FLASH) {
      this.shift = FLASH_BASE - FLASH_AT;
      if (this.cache) {
        this.cycles += this.cache.look(pc);
        this.from = pc & ~(LINE - 1);
        this.span = LINE;
      } else {
        this.from = FLASH_BASE;
        this.span = FLASH_SIZE;
      }
    } else if (((pc - SRAM_BASE) >>> 0) < SRAM_SIZE) {
      this.shift = SRAM_BASE - SRAM_AT;
      this.from = SRAM_BASE;
      this.span = SRAM_SIZE;
    } else if ((pc >>> 0) < BOOTROM_SIZE) {
      this.shift = 0 - BOOTROM_AT;
      this.from = 0;
      this.span = BOOTROM_SIZE;
    } else {
      this.span = 0;
      this.enter(pc, cycles);
      const op = this.rp2040.readUint16(pc >>> 0);
      this.leave(0);
      return op;
    }
    return this.memory.all16[(pc - this.shift) >>> 1];
  }

  // The cost of reading flash, in cycles beyond the first.
  flashCost(at) {
    if (!this.cache) return 1;
    if (XipCache.sameSet(at, this.from)) this.span = 0;        // this read may push out the line being executed
    return 1 + this.cache.look(at);
  }
  load32(at, pc, cycles) {
    if (isDivider(at)) { this.cycles = cycles; return this.divider.read(at & 0xff); }
    if ((at & 3) === 0) {
      if (at >>> 24 === FLASH) { this.cycles = cycles + this.flashCost(at); return this.memory.flash32[(at & 0xffffff) >>> 2]; }
      if (((at - SRAM_BASE) >>> 0) < SRAM_SIZE) { this.cycles = cycles + 1; return this.memory.sram32[(at - SRAM_BASE) >>> 2]; }
      if ((at >>> 0) < BOOTROM_SIZE) { this.cycles = cycles + 1; return this.memory.bootrom32[at >>> 2]; }
    }
    this.enter(pc, cycles);
    const x = this.core.readUint32(at >>> 0) | 0;
    this.leave(readCost(at));
    return x;
  }
  load16(at, pc, cycles) {
    if (at >>> 24 === FLASH) { this.cycles = cycles + this.flashCost(at); return this.memory.flash16[(at & 0xffffff) >>> 1]; }
    if ((at >>> 0) < BOOTROM_SIZE) { this.cycles = cycles + 1; return this.memory.bootrom16[at >>> 1]; }
    this.enter(pc, cycles);
    const x = this.core.readUint16(at >>> 0) | 0;
    this.leave(readCost(at));
    return x;
  }
  load8(at, pc, cycles) {
    if (at >>> 24 === FLASH) { this.cycles = cycles + this.flashCost(at); return this.memory.flash8[at & 0xffffff]; }
    if ((at >>> 0) < BOOTROM_SIZE) { this.cycles = cycles + 1; return this.memory.bootrom8[at]; }
    this.enter(pc, cycles);
    const x = this.core.readUint8(at >>> 0) | 0;
    this.leave(readCost(at));
    return x;
  }
  store32(at, x, pc, cycles) {
    if (isDivider(at)) { this.cycles = cycles; this.divider.write(at & 0xff, x); return; }
    this.enter(pc, cycles);
    this.core.writeUint32(at >>> 0, x >>> 0);
    this.leave(writeCost(at));
  }
  store16(at, x, pc, cycles) {
    this.enter(pc, cycles);
    this.core.writeUint16(at >>> 0, x >>> 0);
    this.leave(writeCost(at));
  }
  store8(at, x, pc, cycles) {
    this.enter(pc, cycles);
    this.core.writeUint8(at >>> 0, x >>> 0);
    this.leave(writeCost(at));
  }

  // Lists that do not lie wholly in SRAM. rp2040js counts a cycle for each register, but none for LR in PUSH.
  push(op, pc, cycles) {
    const { core } = this, r = this.memory.registers32;
    let at = r[SP] - 4 * (bitCount(op & 0xff) + ((op >> 8) & 1));
    this.enter(pc, cycles);
    const bottom = at;
    for (let i = 0; i < 8; i++) if ((op >> i) & 1) { core.writeUint32(at >>> 0, r[i] >>> 0); at += 4; }
    if (op & 0x100) core.writeUint32(at >>> 0, r[LR] >>> 0);
    core.SP = bottom;
    this.leave(bitCount(op & 0xff));
  }
  pop(op, pc, cycles) {
    const { core } = this, r = this.memory.registers32;
    let at = r[SP], cost = bitCount(op & 0xff);
    this.enter(pc, cycles);
    for (let i = 0; i < 8; i++) if ((op >> i) & 1) { r[i] = core.readUint32(at >>> 0); at += 4; }
    if (op & 0x100) {
      core.SP = at + 4;
      core.BXWritePC(core.readUint32(at >>> 0) >>> 0);
      cost += 2;
    } else {
      core.SP = at;
    }
    this.span = 0;
    this.leave(cost);
  }
  storeMultiple(op, pc, cycles) {
    const { core } = this, r = this.memory.registers32, n = (op >> 8) & 7;
    let at = r[n];
    this.enter(pc, cycles);
    for (let i = 0; i < 8; i++) if ((op >> i) & 1) { core.writeUint32(at >>> 0, r[i] >>> 0); at += 4; }
    r[n] = at;
    this.leave(bitCount(op & 0xff));
  }
  loadMultiple(op, pc, cycles) {
    const { core } = this, r = this.memory.registers32, n = (op >> 8) & 7;
    let at = r[n];
    this.enter(pc, cycles);
    for (let i = 0; i < 8; i++) if ((op >> i) & 1) { r[i] = core.readUint32(at >>> 0); at += 4; }
    if (!((op >> n) & 1)) r[n] = at;
    this.span = 0;
    this.leave(bitCount(op & 0xff));
  }

  // B1.5.8: returning to an address 0xf······· in handler mode pops the exception's frame.
  leaveException(x, pc, cycles) {
    this.enter(pc, cycles);
    this.core.exceptionReturn(x & 0x0fffffff);
    this.span = 0;
    this.cycles = this.clock.cycles;
  }
  called(pc, blx) {
    this.memory.registers32[PC] = pc;
    this.core.blTaken(this.core, blx);
  }
  stopHere(code, rewind, pc, cycles) {
    this.enter(pc, cycles);
    this.core.breakRewind = rewind;
    this.rp2040.onBreak(code);
  }

  // The 32-bit instructions other than BL.
  system(op, op2, pc, cycles) {
    const r = this.memory.registers32;
    let cost = 2;
    this.enter(pc, cycles);
    if ((op & 0xfff0) === 0xf380 && op2 >>> 8 === 0x88) {                            // MSR
      this.writeSpecial(op2 & 0xff, r[op & 15]);
    } else if (op === 0xf3ef && op2 >>> 12 === 8) {                                  // MRS
      r[(op2 >> 8) & 15] = this.readSpecial(op2 & 0xff);
    } else if (op === 0xf3bf && (op2 & 0xffc0) === 0x8f40 && (op2 & 0x30) !== 0x30) {
      // DSB, DMB, ISB: every access is complete before the next instruction anyway
    } else if ((op & 0xfff0) === 0xf7f0 && op2 >>> 12 === 10) {                      // UDF.W
      this.stopHere(((op & 15) << 12) | (op2 & 0xfff), 4, pc, cycles);
      this.limit = 0;
      cost = 0;
    } else {                                           // undefined: its second halfword is executed next
      r[PC] = pc - 2;
      cost = 0;
    }
    r[PC] += 2;
    this.leave(cost);
  }
  // B5.2.2 and B5.2.3: bit 2 clear selects APSR, bit 0 IPSR; EPSR reads as zero; IPSR and EPSR cannot be written.
  readSpecial(sysm) {
    const { core } = this;
    if (sysm < 8) return (sysm & 4 ? 0 : core.APSR) | (sysm & 1 ? core.IPSR : 0);
    switch (sysm) {
      case 8: return core.SPmain;
      case 9: return core.SPprocess;
      case 16: return core.PM ? 1 : 0;
      case 20: return (core.SPSEL ? 2 : 0) | (core.nPRIV ? 1 : 0);
    }
    return 0;
  }
  writeSpecial(sysm, x) {
    const { core } = this;
    if (sysm < 4) { core.APSR = x; return; }
    switch (sysm) {
      case 8: core.SPmain = x & ~3; return;
      case 9: core.SPprocess = x & ~3; return;
      case 16:
        core.PM = (x & 1) !== 0;
        if (!core.PM && anyPending(core)) core.interruptsUpdated = true;
        return;
      case 20:
        core.nPRIV = (x & 1) !== 0;
        if (core.currentMode !== HANDLER) core.switchStack(x & 2 ? 1 : 0);
    }
  }
}

// The loop over instructions. It is made once for a chip, also when the chip is reset, and takes the arrays before the
// loop: only then V8 treats them as constants and leaves out most checks of bounds. Measured: 1.2 to 1.4 times as fast.
function executorFor(self, memory) {
  return function execute() {
    const ops = OPS, { registers32: r, all16: code, coded, sram8, sram16, sram32, flash8, flash16, flash32 } = memory;
    const { core, clock } = self;
    const flash = self.cache ? NONE : FLASH;         // with the cache model, reading flash is a slow path
    const hooked = core.blTaken !== self.noCallHook;
    let { from, span, shift, limit } = self, { cycles } = clock, pc = r[PC] & ~1;
    // N is n < 0, Z is z === 0, C is c < 0, V is v < 0. Carries are made by logic: a comparison would be a branch.
    let n = core.N ? -1 : 0, z = core.Z ? 0 : 1, c = core.C ? -1 : 0, v = core.V ? -1 : 0;

    let next;
    do {
      let op;
      if (((pc - from) >>> 0) < (span >>> 0)) {
        op = code[((pc - shift) | 0) >>> 1];
      } else {
        op = self.fetch(pc, cycles);
        ({ cycles, from, span, shift } = self);
      }
      next = pc = (pc + 2) | 0;                      // the manual's PC is this + 2

      switch (ops[op]) {
        case 0: {                                    // LSLS Rd, Rm, #imm5
          const x = r[(op >> 3) & 7], s = (op >> 6) & 31;
          if (s) c = x << (s - 1);
          r[op & 7] = n = z = x << s;
          break;
        }
        case 1: {                                    // LSRS Rd, Rm, #imm5; 0 means 32
          const x = r[(op >> 3) & 7], s = (op >> 6) & 31;
          c = x << (32 - s);
          r[op & 7] = n = z = s ? (x >>> s) | 0 : 0;
          break;
        }
        case 2: {                                    // ASRS Rd, Rm, #imm5; 0 means 32
          const x = r[(op >> 3) & 7], s = (op >> 6) & 31;
          c = x << (32 - s);
          r[op & 7] = n = z = x >> (s || 31);
          break;
        }
        case 3: {                                    // ADDS Rd, Rn, Rm
          const a = r[(op >> 3) & 7], b = r[(op >> 6) & 7], x = (a + b) | 0;
          c = (a & b) | ((a | b) & ~x);
          v = (a ^ x) & (b ^ x);
          r[op & 7] = n = z = x;
          break;
        }
        case 4: {                                    // SUBS Rd, Rn, Rm
          const a = r[(op >> 3) & 7], b = r[(op >> 6) & 7], x = (a - b) | 0;
          c = (a & ~b) | ((a | ~b) & ~x);
          v = (a ^ b) & (a ^ x);
          r[op & 7] = n = z = x;
          break;
        }
        case 5: {                                    // ADDS Rd, Rn, #imm3
          const a = r[(op >> 3) & 7], x = (a + ((op >> 6) & 7)) | 0;
          c = a & ~x;
          v = ~a & x;
          r[op & 7] = n = z = x;
          break;
        }
        case 6: {                                    // SUBS Rd, Rn, #imm3
          const a = r[(op >> 3) & 7], b = (op >> 6) & 7, x = (a - b) | 0;
          c = a | ~x;
          v = a & ~x;
          r[op & 7] = n = z = x;
          break;
        }
        case 7: r[(op >> 8) & 7] = n = z = op & 0xff; break;                      // MOVS Rd, #imm8
        case 8: {                                    // CMP Rn, #imm8
          const a = r[(op >> 8) & 7], b = op & 0xff;
          n = z = (a - b) | 0;
          c = a | ~n;
          v = a & ~n;
          break;
        }
        case 9: {                                    // ADDS Rdn, #imm8
          const a = r[(op >> 8) & 7], x = (a + (op & 0xff)) | 0;
          c = a & ~x;
          v = ~a & x;
          r[(op >> 8) & 7] = n = z = x;
          break;
        }
        case 10: {                                   // SUBS Rdn, #imm8
          const a = r[(op >> 8) & 7], b = op & 0xff, x = (a - b) | 0;
          c = a | ~x;
          v = a & ~x;
          r[(op >> 8) & 7] = n = z = x;
          break;
        }

        case 11: r[op & 7] = n = z = r[op & 7] & r[(op >> 3) & 7]; break;         // ANDS
        case 12: r[op & 7] = n = z = r[op & 7] ^ r[(op >> 3) & 7]; break;         // EORS
        case 13: {                                   // LSLS Rdn, Rm: the low byte counts; 0 leaves C
          let x = r[op & 7];
          const s = r[(op >> 3) & 7] & 0xff;
          if (s > 31) { c = s === 32 ? x << 31 : 0; x = 0; } else if (s) { c = x << (s - 1); x <<= s; }
          r[op & 7] = n = z = x;
          break;
        }
        case 14: {                                   // LSRS Rdn, Rm
          let x = r[op & 7];
          const s = r[(op >> 3) & 7] & 0xff;
          if (s > 31) { c = s === 32 ? x : 0; x = 0; } else if (s) { c = x << (32 - s); x = (x >>> s) | 0; }
          r[op & 7] = n = z = x;
          break;
        }
        case 15: {                                   // ASRS Rdn, Rm
          let x = r[op & 7];
          const s = r[(op >> 3) & 7] & 0xff;
          if (s > 31) { c = x; x >>= 31; } else if (s) { c = x << (32 - s); x >>= s; }
          r[op & 7] = n = z = x;
          break;
        }
        case 16: {                                   // ADCS
          const a = r[op & 7], b = r[(op >> 3) & 7], x = (a + b + (c >>> 31)) | 0;
          c = (a & b) | ((a | b) & ~x);
          v = (a ^ x) & (b ^ x);
          r[op & 7] = n = z = x;
          break;
        }
        case 17: {                                   // SBCS
          const a = r[op & 7], b = ~r[(op >> 3) & 7], x = (a + b + (c >>> 31)) | 0;
          c = (a & b) | ((a | b) & ~x);
          v = (a ^ x) & (b ^ x);
          r[op & 7] = n = z = x;
          break;
        }
        case 18: {                                   // RORS
          let x = r[op & 7];
          const s = r[(op >> 3) & 7] & 0xff;
          if (s) { x = (x >>> (s & 31)) | (x << (32 - (s & 31))); c = x; }
          r[op & 7] = n = z = x;
          break;
        }
        case 19: n = z = r[op & 7] & r[(op >> 3) & 7]; break;                     // TST
        case 20: {                                   // RSBS Rd, Rn, #0
          const b = r[(op >> 3) & 7], x = -b | 0;
          c = ~(b | x);
          v = b & x;
          r[op & 7] = n = z = x;
          break;
        }
        case 21: {                                   // CMP Rn, Rm (low)
          const a = r[op & 7], b = r[(op >> 3) & 7], x = (a - b) | 0;
          n = z = x;
          c = (a & ~b) | ((a | ~b) & ~x);
          v = (a ^ b) & (a ^ x);
          break;
        }
        case 22: {                                   // CMN
          const a = r[op & 7], b = r[(op >> 3) & 7], x = (a + b) | 0;
          n = z = x;
          c = (a & b) | ((a | b) & ~x);
          v = (a ^ x) & (b ^ x);
          break;
        }
        case 23: r[op & 7] = n = z = r[op & 7] | r[(op >> 3) & 7]; break;         // ORRS
        case 24: r[op & 7] = n = z = Math.imul(r[op & 7], r[(op >> 3) & 7]); break;   // MULS
        case 25: r[op & 7] = n = z = r[op & 7] & ~r[(op >> 3) & 7]; break;        // BICS
        case 26: r[op & 7] = n = z = ~r[(op >> 3) & 7]; break;                    // MVNS

        case 27: {                                   // ADD Rdn, Rm (any)
          const d = ((op >> 4) & 8) | (op & 7);
          r[PC] = pc + 2;
          const x = (r[d] + r[(op >> 3) & 15]) | 0;
          if (d === PC) { pc = x & ~1; cycles = (cycles + 1) | 0; } else r[d] = d === SP ? x & ~3 : x;
          break;
        }
        case 28: {                                   // CMP Rn, Rm (any)
          r[PC] = pc;
          const a = r[((op >> 4) & 8) | (op & 7)], b = r[(op >> 3) & 15], x = (a - b) | 0;
          n = z = x;
          c = (a & ~b) | ((a | ~b) & ~x);
          v = (a ^ b) & (a ^ x);
          break;
        }
        case 29: {                                   // MOV Rd, Rm (any)
          const d = ((op >> 4) & 8) | (op & 7);
          r[PC] = pc + 2;
          const x = r[(op >> 3) & 15];
          if (d === PC) { pc = x & ~1; cycles = (cycles + 1) | 0; } else r[d] = d === SP ? x & ~3 : x;
          break;
        }
        case 30: {                                   // BX
          r[PC] = pc;
          const x = r[(op >> 3) & 15];
          pc = x & ~1;
          if (x >>> 28 === 15 && core.currentMode === HANDLER) {
            self.leaveException(x, pc, cycles);
            pc = r[PC] & ~1; n = core.N ? -1 : 0; z = core.Z ? 0 : 1; c = core.C ? -1 : 0; v = core.V ? -1 : 0;
            cycles = self.cycles; limit = 0; span = self.span;
          }
          cycles = (cycles + 1) | 0;
          break;
        }
        case 31: {                                   // BLX
          r[PC] = pc;
          const x = r[(op >> 3) & 15];
          r[LR] = pc | 1;
          pc = x & ~1;
          cycles = (cycles + 1) | 0;
          if (hooked) self.called(pc, true);
          break;
        }
        case 32: {                                   // LDR Rt, label
          const at = (((pc + 2) & ~3) + ((op & 0xff) << 2)) | 0, o = (at - SRAM_BASE) | 0;
          if (at >>> 24 === flash) {
            r[(op >> 8) & 7] = flash32[(at & 0xffffff) >>> 2];
            cycles = (cycles + 1) | 0;
          } else if ((o >>> 0) < SRAM_SIZE) {
            r[(op >> 8) & 7] = sram32[o >>> 2];
            cycles = (cycles + 1) | 0;
          } else {
            r[(op >> 8) & 7] = self.load32(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }

        case 33: {                                   // STR Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            sram32[o >>> 2] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + o, 4);
            cycles = (cycles + 1) | 0;
          } else {
            self.store32(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 34: {                                   // STRH Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            sram16[o >>> 1] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + (o & ~1), 2);
            cycles = (cycles + 1) | 0;
          } else {
            self.store16(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 35: {                                   // STRB Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            sram8[o] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + o, 1);
            cycles = (cycles + 1) | 0;
          } else {
            self.store8(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 36: {                                   // LDRSB Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = (sram8[o] << 24) >> 24;
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = (self.load8(at, pc, cycles) << 24) >> 24;
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 37: {                                   // LDR Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            r[op & 7] = sram32[o >>> 2];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash && (at & 3) === 0) {
            r[op & 7] = flash32[(at & 0xffffff) >>> 2];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load32(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 38: {                                   // LDRH Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = sram16[o >>> 1];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash) {
            r[op & 7] = flash16[(at & 0xffffff) >>> 1];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load16(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 39: {                                   // LDRB Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = sram8[o];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash) {
            r[op & 7] = flash8[at & 0xffffff];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load8(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 40: {                                   // LDRSH Rt, [Rn, Rm]
          const at = (r[(op >> 3) & 7] + r[(op >> 6) & 7]) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = (sram16[o >>> 1] << 16) >> 16;
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = (self.load16(at, pc, cycles) << 16) >> 16;
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 41: {                                   // STR Rt, [Rn, #imm5 × 4]
          const at = (r[(op >> 3) & 7] + ((op >> 4) & 0x7c)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            sram32[o >>> 2] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + o, 4);
            cycles = (cycles + 1) | 0;
          } else {
            self.store32(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 42: {                                   // LDR Rt, [Rn, #imm5 × 4]
          const at = (r[(op >> 3) & 7] + ((op >> 4) & 0x7c)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            r[op & 7] = sram32[o >>> 2];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash && (at & 3) === 0) {
            r[op & 7] = flash32[(at & 0xffffff) >>> 2];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load32(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 43: {                                   // STRB Rt, [Rn, #imm5]
          const at = (r[(op >> 3) & 7] + ((op >> 6) & 31)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            sram8[o] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + o, 1);
            cycles = (cycles + 1) | 0;
          } else {
            self.store8(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 44: {                                   // LDRB Rt, [Rn, #imm5]
          const at = (r[(op >> 3) & 7] + ((op >> 6) & 31)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = sram8[o];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash) {
            r[op & 7] = flash8[at & 0xffffff];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load8(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 45: {                                   // STRH Rt, [Rn, #imm5 × 2]
          const at = (r[(op >> 3) & 7] + ((op >> 5) & 0x3e)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            sram16[o >>> 1] = r[op & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + (o & ~1), 2);
            cycles = (cycles + 1) | 0;
          } else {
            self.store16(at, r[op & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 46: {                                   // LDRH Rt, [Rn, #imm5 × 2]
          const at = (r[(op >> 3) & 7] + ((op >> 5) & 0x3e)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE) {
            r[op & 7] = sram16[o >>> 1];
            cycles = (cycles + 1) | 0;
          } else if (at >>> 24 === flash) {
            r[op & 7] = flash16[(at & 0xffffff) >>> 1];
            cycles = (cycles + 1) | 0;
          } else {
            r[op & 7] = self.load16(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 47: {                                   // STR Rt, [SP, #imm8 × 4]
          const at = (r[SP] + ((op & 0xff) << 2)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            sram32[o >>> 2] = r[(op >> 8) & 7];
            if (coded[o >> 5]) memory.changed(SRAM_BASE + o, 4);
            cycles = (cycles + 1) | 0;
          } else {
            self.store32(at, r[(op >> 8) & 7], pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 48: {                                   // LDR Rt, [SP, #imm8 × 4]
          const at = (r[SP] + ((op & 0xff) << 2)) | 0, o = (at - SRAM_BASE) | 0;
          if ((o >>> 0) < SRAM_SIZE && (o & 3) === 0) {
            r[(op >> 8) & 7] = sram32[o >>> 2];
            cycles = (cycles + 1) | 0;
          } else {
            r[(op >> 8) & 7] = self.load32(at, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }

        case 49: r[(op >> 8) & 7] = ((pc + 2) & ~3) + ((op & 0xff) << 2); break;  // ADR
        case 50: r[(op >> 8) & 7] = r[SP] + ((op & 0xff) << 2); break;            // ADD Rd, SP, #imm8 × 4
        case 51: r[SP] = (r[SP] + ((op & 0x7f) << 2)) & ~3; break;                // ADD SP, #imm7 × 4
        case 52: r[SP] = (r[SP] - ((op & 0x7f) << 2)) & ~3; break;                // SUB SP, #imm7 × 4
        case 53: r[op & 7] = (r[(op >> 3) & 7] << 16) >> 16; break;               // SXTH
        case 54: r[op & 7] = (r[(op >> 3) & 7] << 24) >> 24; break;               // SXTB
        case 55: r[op & 7] = r[(op >> 3) & 7] & 0xffff; break;                    // UXTH
        case 56: r[op & 7] = r[(op >> 3) & 7] & 0xff; break;                      // UXTB

        case 57: {                                   // PUSH {list, LR}: the lowest register at the lowest address
          let o = (r[SP] - SRAM_BASE) | 0;
          if ((o >>> 0) <= SRAM_SIZE && (o >>> 0) >= 36) {
            if (op & 0x100) { o -= 4; sram32[o >>> 2] = r[LR]; }
            if (op & 0x80) { o -= 4; sram32[o >>> 2] = r[7]; cycles = (cycles + 1) | 0; }
            if (op & 0x40) { o -= 4; sram32[o >>> 2] = r[6]; cycles = (cycles + 1) | 0; }
            if (op & 0x20) { o -= 4; sram32[o >>> 2] = r[5]; cycles = (cycles + 1) | 0; }
            if (op & 0x10) { o -= 4; sram32[o >>> 2] = r[4]; cycles = (cycles + 1) | 0; }
            if (op & 15) {
              if (op & 8) { o -= 4; sram32[o >>> 2] = r[3]; cycles = (cycles + 1) | 0; }
              if (op & 4) { o -= 4; sram32[o >>> 2] = r[2]; cycles = (cycles + 1) | 0; }
              if (op & 2) { o -= 4; sram32[o >>> 2] = r[1]; cycles = (cycles + 1) | 0; }
              if (op & 1) { o -= 4; sram32[o >>> 2] = r[0]; cycles = (cycles + 1) | 0; }
            }
            if (coded[o >> 5] | coded[(o + 32) >> 5]) memory.changed(SRAM_BASE + o, r[SP] - SRAM_BASE - o);
            r[SP] = (o + SRAM_BASE) & ~3;
          } else {
            self.push(op, pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 58:                                     // CPSIE i, CPSID i
          core.PM = (op & 0x10) !== 0;
          if (!core.PM && anyPending(core)) { core.interruptsUpdated = true; limit = 0; }
          break;
        case 59: {                                   // REV
          const x = r[(op >> 3) & 7];
          r[op & 7] = (x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24);
          break;
        }
        case 60: {                                   // REV16
          const x = r[(op >> 3) & 7];
          r[op & 7] = ((x & 0x00ff00ff) << 8) | ((x >>> 8) & 0x00ff00ff);
          break;
        }
        case 61: {                                   // REVSH
          const x = r[(op >> 3) & 7];
          r[op & 7] = ((x << 24) >> 16) | ((x >>> 8) & 0xff);
          break;
        }
        case 62: {                                   // POP {list, PC}
          let o = (r[SP] - SRAM_BASE) | 0;
          if ((o >>> 0) <= SRAM_SIZE - 36) {
            if (op & 15) {
              if (op & 1) { r[0] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
              if (op & 2) { r[1] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
              if (op & 4) { r[2] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
              if (op & 8) { r[3] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            }
            if (op & 0x10) { r[4] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            if (op & 0x20) { r[5] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            if (op & 0x40) { r[6] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            if (op & 0x80) { r[7] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            if (op & 0x100) {
              const x = sram32[o >>> 2];
              r[SP] = o + 4 + SRAM_BASE;
              pc = x & ~1;
              if (x >>> 28 === 15 && core.currentMode === HANDLER) {
                const listed = bitCount(op & 0xff);
                self.leaveException(x, pc, cycles - listed);
                pc = r[PC] & ~1; n = core.N ? -1 : 0; z = core.Z ? 0 : 1; c = core.C ? -1 : 0; v = core.V ? -1 : 0;
                cycles = self.cycles + listed; limit = 0; span = self.span;
              }
              cycles = (cycles + 2) | 0;
            } else {
              r[SP] = o + SRAM_BASE;
            }
          } else {
            core.N = n < 0; core.Z = z === 0; core.C = c < 0; core.V = v < 0;
            self.pop(op, pc, cycles);
            pc = r[PC] & ~1; n = core.N ? -1 : 0; z = core.Z ? 0 : 1; c = core.C ? -1 : 0; v = core.V ? -1 : 0;
            ({ cycles, limit, span } = self);
          }
          break;
        }
        case 63:                                     // BKPT
        case 84:                                     // UDF
          self.stopHere(op & 0xff, 2, pc, cycles);
          limit = 0;
          break;
        case 64: break;                              // NOP
        case 65:                                     // WFE
          cycles = (cycles + 1) | 0;
          if (core.eventRegistered) core.eventRegistered = false;
          else { core.waiting = true; limit = 0; }
          break;
        case 66: cycles = (cycles + 1) | 0; core.waiting = true; limit = 0; break;    // WFI
        case 67: core.eventRegistered = true; break;                                  // SEV

        case 68: {                                   // STM Rn!, {list}
          let o = (r[(op >> 8) & 7] - SRAM_BASE) | 0;
          if ((o >>> 0) <= SRAM_SIZE - 32 && (o & 3) === 0) {
            for (let i = 0, list = op & 0xff; list; i++, list >>= 1) {
              if (list & 1) { sram32[o >>> 2] = r[i]; o += 4; cycles = (cycles + 1) | 0; }
            }
            const first = r[(op >> 8) & 7] - SRAM_BASE;
            r[(op >> 8) & 7] = o + SRAM_BASE;
            if (coded[first >> 5] | coded[(o - 1) >> 5]) memory.changed(SRAM_BASE + first, o - first);
          } else {
            self.storeMultiple(op, pc, cycles);
            ({ cycles, limit } = self);
          }
          break;
        }
        case 69: {                                   // LDM Rn!, {list}: no write-back when Rn is in the list
          let o = (r[(op >> 8) & 7] - SRAM_BASE) | 0;
          if ((o >>> 0) <= SRAM_SIZE - 32 && (o & 3) === 0) {
            for (let i = 0, list = op & 0xff; list; i++, list >>= 1) {
              if (list & 1) { r[i] = sram32[o >>> 2]; o += 4; cycles = (cycles + 1) | 0; }
            }
            if (!((op >> ((op >> 8) & 7)) & 1)) r[(op >> 8) & 7] = o + SRAM_BASE;
          } else {
            self.loadMultiple(op, pc, cycles);
            ({ cycles, limit, span } = self);
          }
          break;
        }

        case 70: if (z === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;            // BEQ
        case 71: if (z !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;            // BNE
        case 72: if (c < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;            // BCS
        case 73: if (c >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;            // BCC
        case 74: if (n < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;              // BMI
        case 75: if (n >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;             // BPL
        case 76: if (v < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;              // BVS
        case 77: if (v >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;             // BVC
        case 78: if (c < 0 && z !== 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break; // BHI
        case 79: if (c >= 0 || z === 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break; // BLS
        case 80: if ((n ^ v) >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;       // BGE
        case 81: if ((n ^ v) < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;        // BLT
        case 82: if (z !== 0 && (n ^ v) >= 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break; // BGT
        case 83: if (z === 0 || (n ^ v) < 0) { pc = (pc + 2 + ((op << 24) >> 23)) | 0; cycles = (cycles + 1) | 0; } break;  // BLE
        case 85: core.pendingSVCall = true; core.interruptsUpdated = true; limit = 0; break;                           // SVC
        case 86: pc = (pc + 2 + ((op << 21) >> 20)) | 0; cycles = (cycles + 1) | 0; break;                             // B

        case 87: {                                   // 32-bit
          let op2;
          if (((pc - from) >>> 0) < (span >>> 0)) {
            op2 = code[((pc - shift) | 0) >>> 1];
          } else {
            op2 = self.fetch(pc, cycles);
            ({ cycles, from, span, shift } = self);
          }
          if ((op2 & 0xd000) === 0xd000) {           // BL: A6.7.13
            const s = (op << 21) >> 31, j1 = (op2 >> 13) & 1, j2 = (op2 >> 11) & 1;
            const offset = (s << 24) | ((~(j1 ^ s) & 1) << 23) | ((~(j2 ^ s) & 1) << 22) | ((op & 0x3ff) << 12) | ((op2 & 0x7ff) << 1);
            r[LR] = (pc + 2) | 1;
            pc = (pc + 2 + offset) | 0;
            cycles = (cycles + 2) | 0;
            if (hooked) self.called(pc, false);
          } else {
            core.N = n < 0; core.Z = z === 0; core.C = c < 0; core.V = v < 0;
            self.system(op, op2, pc, cycles);
            pc = r[PC] & ~1; n = core.N ? -1 : 0; z = core.Z ? 0 : 1; c = core.C ? -1 : 0; v = core.V ? -1 : 0;
            ({ cycles, limit } = self);
          }
          break;
        }
        case 88:                                     // 32-bit, undefined: its second halfword is read and then executed
          if (((pc - from) >>> 0) >= (span >>> 0)) {
            self.fetch(pc, cycles);
            ({ cycles, from, span, shift } = self);
          }
          break;
        case 89: break;                              // undefined
      }
    } while ((cycles = (cycles + 1) | 0) < limit && (pc === next || !self.arrives(pc)));

    self.limit = limit;
    core.N = n < 0; core.Z = z === 0; core.C = c < 0; core.V = v < 0;
    r[PC] = pc;
    clock.cycles = cycles;
    clock.charge(0);
  };
}

function anyPending(core) {
  return (core.pendingInterrupts & core.enabledInterrupts) !== 0 || core.pendingNMI || core.pendingSVCall ||
    core.pendingPendSV || core.pendingSystick;
}

function isDivider(at) { return ((at - SIO_DIVIDER) >>> 0) < SIO_DIVIDER_SIZE && (at & 3) === 0; }

// rp2040js's cost of a single access beyond the first cycle: none for SIO, wait states on the APB bridge.
function readCost(at) { const region = at >>> 28; return region === SIO ? 0 : region === APB ? 3 : 1; }
function writeCost(at) { const region = at >>> 28; return region === SIO ? 0 : region === APB ? 4 : 1; }

function bitCount(x) {
  let count = 0;
  for (; x; x &= x - 1) count++;
  return count;
}
