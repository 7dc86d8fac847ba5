// One instruction as WebAssembly: what ARMv6-M's do to registers, flags and memory, and what they cost.
//
// Each does what its case in `fast_core.mjs` does, quirks included.

import { DIVIDER_CELL, FIRST, LAST } from './divider.mjs';
import { CODED_AT, CODED_SHIFT, FLASH_AT, FLASH_SIZE, SRAM_AT, SRAM_SIZE } from './memory.mjs';
import { BUDGET, CALLS, FETCHED, LEFT_CELL, LINE_CELL, UNTRANSLATED, cellAt } from './shared.mjs';
import { ops } from './wasm_writer.mjs';

// Locals: two parameters, r0 to r14, flags, then what lasts for a block or an instruction.
export const ENTRY = 0, LEFT = 1, R0 = 2, NZ = 17, C = 18, V = 19;
export const A = 20, B = 21, X = 22, SHIFTED = 23;       // where C and V come from
export const PC_OUT = 24, EXIT = 25;
const O = 26, T = 27;
export const LINE = 28, WORD = 29, LOCALS = 30;

const FLASH_BASE = 0x10000000, SRAM_BASE = 0x20000000, SIO = 0xd0000000;
const LINE_BYTES = 8, SAME_SET = 0x1ff8;                 // address bits that choose a set of the XIP cache
const SP = 13, LR = 14, PC = 15;
// The operation of A, B and X; CARRY: added with a carry.
export const NO_OP = 0, ADD = 1, SUB = 2, CARRY = 3;
const { add, and, eqz, or, shl, shrS, shrU, sub, xor } = ops;

export class InstructionCode {
  // body: a Body; cached: whether the XIP cache is modelled.
  constructor(body, cached, read32, firstExit) {
    this.body = body;
    this.cached = cached;
    this.read32 = read32;
    this.used = new Set();            // registers and flags, by their locals
    this.written = new Set();
    this.literals = [];               // addresses whose content is part of the code
    this.exitLevel = 0;
    this.exits = [];                  // two words each: PC and why; cost, and where flags come from
    this.firstExit = firstExit;
    this.operated = false;
  }

  beginBlock() {
    this.spent = 0;                   // cycles of the instructions so far, not yet taken off LEFT
    this.known = new Map();           // registers with a value known now
    this.forget();
    this.line = null;                 // the line executed from, where it is known
  }
  forget() {
    this.operation = NO_OP;           // where V comes from; NO_OP: from its local
    this.carry = NO_OP;               // likewise C; SHIFTED: from a shift
    this.shift = 0;
    this.nzFrom = null;
    this.operationAt = null;
  }

  // ---- registers ----------------------------------------------------------------------------------------------------
  read(n) {
    const { body } = this;
    if (this.known.has(n)) { body.i32(this.known.get(n)); return; }
    this.used.add(R0 + n);
    body.get(R0 + n);
  }
  write(n, value = null) {
    if (value === null) this.known.delete(n); else this.known.set(n, value | 0);
    this.used.add(R0 + n);
    this.written.add(R0 + n);
    this.body.set(R0 + n);
  }
  flagLocal(local) { this.used.add(local); return local; }
  setFlag(local) { this.used.add(local); this.written.add(local); this.body.set(local); }

  // ---- flags --------------------------------------------------------------------------------------------------------
  // The result on the stack goes to register `d` (null: nowhere) and sets N and Z.
  result(d, value = null) {
    const { body } = this;
    this.used.add(NZ); this.written.add(NZ);
    this.nzFrom = this.at;
    if (d === null) { body.set(NZ); return; }
    body.tee(NZ);
    this.write(d, value);
  }
  // As `result`, of operands that are in A and B: C and V come from them.
  resultOf(operation, d, value = null) {
    const { body } = this;
    body.tee(X);
    this.used.add(C).add(V); this.written.add(C).add(V);
    this.operated = true;
    this.operation = this.carry = operation;
    this.operationAt = this.at;
    this.result(d, value);
  }
  pushCarry() {
    const { body } = this;
    if (this.carry === NO_OP) body.get(this.flagLocal(C));
    else pushCarryOf(body, this.carry, this.shift);
  }
  pushOverflow() {
    if (this.operation === NO_OP) this.body.get(this.flagLocal(V)); else pushOverflowOf(this.body, this.operation);
  }
  // Puts C and V into their locals; what is known of where they come from stays true.
  storeFlags() {
    if (this.carry !== NO_OP) { this.pushCarry(); this.setFlag(C); }
    if (this.operation !== NO_OP) { this.pushOverflow(); this.setFlag(V); }
  }
  settleCarry() {
    if (this.carry === NO_OP) return;
    this.pushCarry();
    this.setFlag(C);
    this.carry = NO_OP;
  }

  // Leaves on the stack whether condition `id` (70: BEQ, to 83: BLE) holds.
  condition(id) {
    const { body } = this, { nzFrom, operationAt } = this;
    const compared = this.operation === SUB && nzFrom === operationAt;      // N, Z and V of one A - B
    const carried = this.carry === SUB;
    const compare = (op) => body.get(A).get(B).op(op);
    const nz = () => body.get(this.flagLocal(NZ));
    switch (id) {
      case 70: if (compared) compare(ops.eq); else nz().op(eqz); return;
      case 71: if (compared) compare(ops.ne); else nz().i32(0).op(ops.ne); return;
      case 72: if (carried) compare(ops.geU); else { this.pushCarry(); body.i32(0).op(ops.ltS); } return;
      case 73: if (carried) compare(ops.ltU); else { this.pushCarry(); body.i32(0).op(ops.geS); } return;
      case 74: nz().i32(0).op(ops.ltS); return;
      case 75: nz().i32(0).op(ops.geS); return;
      case 76: this.pushOverflow(); body.i32(0).op(ops.ltS); return;
      case 77: this.pushOverflow(); body.i32(0).op(ops.geS); return;
      case 78: if (carried && compared) compare(ops.gtU); else { this.pushCarry(); body.i32(0).op(ops.ltS); nz().i32(0).op(ops.ne, and); } return;
      case 79: if (carried && compared) compare(ops.leU); else { this.pushCarry(); body.i32(0).op(ops.geS); nz().op(eqz, or); } return;
      case 80: if (compared) compare(ops.geS); else { nz(); this.pushOverflow(); body.op(xor).i32(0).op(ops.geS); } return;
      case 81: if (compared) compare(ops.ltS); else { nz(); this.pushOverflow(); body.op(xor).i32(0).op(ops.ltS); } return;
      case 82: if (compared) compare(ops.gtS); else { nz(); this.pushOverflow(); body.op(xor).i32(0).op(ops.geS); nz().i32(0).op(ops.ne, and); } return;
      case 83: if (compared) compare(ops.leS); else { nz(); this.pushOverflow(); body.op(xor).i32(0).op(ops.ltS); nz().op(eqz, or); } return;
    }
    throw new Error(`no condition: ${id}`);
  }

  // ---- leaving ------------------------------------------------------------------------------------------------------
  // Ends the function, `cost` cycles after the beginning of the block, with the PC at `pc`; null: it is in PC_OUT.
  leave(pc, why, cost) {
    const { body } = this, exit = this.exits.length;
    this.exits.push(pc === null ? 0 : pc | (why << 30), cost | (this.operation << 8) | (this.carry << 10) | (this.shift << 16));
    body.i32(this.firstExit + 4 * exit).set(EXIT).br(this.exitLevel);
  }
  pay(cost) { if (cost) this.body.get(LEFT).i32(cost).op(sub).set(LEFT); }
  // Ends the function where the cycles left no longer suffice for the block.
  leaveWhereLate(pc, why, cost) {
    const { body } = this;
    body.get(LEFT).i32(this.budget).op(ops.leS).if();
    this.leave(pc, why, cost);
    body.end();
  }

  // ---- the XIP cache ------------------------------------------------------------------------------------------------
  // The halfword at `at` is fetched.
  fetch(at, last) {
    if (!this.cached || at >>> 24 !== 0x10) {
      if (this.cached && this.line !== -2) { this.body.i32(-2).set(LINE); this.line = -2; }
      return;
    }
    const { body } = this, line = at & -LINE_BYTES;
    if (this.line === line) return;
    const unknown = this.line === null;
    if (unknown) body.get(LINE).i32(line).op(ops.ne).if();
    body.i32(line).set(LINE);
    body.get(LEFT).i32(at).call(CALLS.look).tee(T).op(sub).set(LEFT);
    if (!last) {
      body.get(T).if();
      this.leaveWhereLate(at, FETCHED, this.spent);
      body.end();
    }
    if (unknown) body.end();
    this.line = line;
  }
  // Reading flash at the address in O (less SRAM_BASE) may push out the line being executed, and costs a look.
  lookAt(pushAddress) {
    const { body } = this;
    pushAddress();
    body.get(LINE).op(xor).i32(SAME_SET).op(and, eqz).if();
    body.i32(-1).set(LINE).end();
    body.get(LEFT);
    pushAddress();
    body.call(CALLS.look).op(sub).set(LEFT);
  }

  // ---- memory -------------------------------------------------------------------------------------------------------
  // `address` is a number, or a function that leaves it on the stack; `size` is 1, 2 or 4; `finish` ends with the value
  // on the stack and takes it.
  load(one, address, size, opcode, finish) {
    const { body } = this, cost = 2, align = size >> 1;
    if (typeof address === 'number') {
      this.loadFrom(one, address >>> 0, size, opcode, finish);
      return;
    }
    address();
    body.i32(SRAM_BASE).op(sub).tee(O);
    this.within(size, SRAM_SIZE);
    body.if();
    this.index(O, size);
    body.access(opcode, align, SRAM_AT);
    finish();
    body.else();
    body.get(O).i32(SRAM_BASE - FLASH_BASE).op(add);
    this.within(size, FLASH_SIZE);
    body.if();
    if (this.cached) this.lookAt(() => body.get(O).i32(SRAM_BASE).op(add));
    body.get(O).i32(SRAM_BASE - FLASH_BASE).op(add);
    if (size === 2) body.i32(-2).op(and);
    body.access(opcode, align, FLASH_AT);
    finish();
    if (this.cached && !one.last) this.leaveWhereLate(one.next, BUDGET, this.spent + cost);
    body.else();
    if (one.elsewhere) {
      body.get(O).i32(SRAM_BASE).op(add);
      this.callLoad(one, size, opcode, finish, cost);
      this.line = null;
    } else {
      this.leave(one.at, FETCHED, this.spent);
    }
    body.end().end();
    if (this.cached) this.line = null;
    this.spent += cost;
  }
  // Leaves on the stack whether what is on it is an offset below `limit`, and a multiple of 4 where a word is meant.
  within(size, limit) {
    if (size === 4) this.body.i32(2).op(ops.rotr).i32(limit >>> 2); else this.body.i32(limit);
    this.body.op(ops.ltU);
  }
  index(local, size) {
    this.body.get(local);
    if (size === 2) this.body.i32(-2).op(and);
  }
  // With the address on the stack.
  callLoad(one, size, opcode, finish, cost) {
    const { body } = this;
    body.i32(one.at + 2).get(LEFT);
    if (this.spent) body.i32(this.spent).op(sub);
    body.get(LINE).call(CALLS[`load${8 * size}`]);
    if (opcode === 0x2c) body.op(ops.extend8);
    if (opcode === 0x2e) body.op(ops.extend16);
    finish();
    this.afterCall(one, cost);
  }
  // The interpreter has charged all but the instruction's first cycle, and `cost` will be taken off for it.
  afterCall(one, cost) {
    const { body } = this;
    body.i32(0).load32(cellAt(LEFT_CELL)).i32(this.spent + cost - 1).op(add).set(LEFT);
    if (this.cached) body.i32(0).load32(cellAt(LINE_CELL)).set(LINE);
    if (!one.last) this.leaveWhereLate(one.next, BUDGET, this.spent + cost);
  }
  loadFrom(one, at, size, opcode, finish) {
    const { body } = this, o = at - SRAM_BASE, aligned = size < 4 || !(at & 3);
    if (o >= 0 && o < SRAM_SIZE && aligned) {
      body.i32(size === 2 ? o & ~1 : o).access(opcode, size >> 1, SRAM_AT);
      finish();
      this.spent += 2;
    } else if (at >>> 24 === 0x10 && aligned && !this.cached) {
      const f = at & 0xffffff;
      body.i32(size === 2 ? f & ~1 : f).access(opcode, size >> 1, FLASH_AT);
      finish();
      this.spent += 2;
    } else if (size === 4 && isDivider(at)) {
      this.readDivider(at - SIO);
      finish();
      this.spent += 1;
    } else {
      body.i32(at);
      this.callLoad(one, size, opcode, finish, 2);
      this.line = null;
      this.spent += 2;
    }
  }
  readDivider(offset) {
    const { body } = this, cell = DIVIDER_CELL + [0, 1, 0, 1, 2, 3, 4][(offset - FIRST) >> 2];
    if (offset === 0x70) {
      body.i32(0).i32(0).load32(cellAt(DIVIDER_CELL + 4)).i32(~2).op(and).store32(cellAt(DIVIDER_CELL + 4));
    }
    body.i32(0).load32(cellAt(cell));
  }

  store(one, address, size, value) {
    const { body } = this, cost = 2, opcode = [0, 0x3a, 0x3b, 0, 0x36][size];
    if (typeof address === 'number' && size === 4 && isDivider(address >>> 0)) { this.writeDivider(address - SIO, value); return; }
    const known = typeof address === 'number', outside = known && (address >>> 28) > 2;
    if (!outside) {
      if (known) body.i32(address); else address();
      body.i32(SRAM_BASE).op(sub).tee(O);
      this.within(size, SRAM_SIZE);
      body.if();
      this.index(O, size);
      value();
      body.access(opcode, size >> 1, SRAM_AT);
      body.get(O).i32(CODED_SHIFT).op(shrU).access(0x2d, 0, CODED_AT).if();
      this.overwritten(one, () => this.index(O, size), size, cost);
      body.end();
      body.else();
      if (!one.elsewhere) {
        this.leave(one.at, FETCHED, this.spent);
        body.end();
        this.spent += cost;
        return;
      }
      body.get(O).i32(SRAM_BASE).op(add);
    } else {
      body.i32(address);
    }
    value();
    body.i32(one.at + 2).get(LEFT);
    if (this.spent) body.i32(this.spent).op(sub);
    body.get(LINE).call(CALLS[`store${8 * size}`]);
    this.afterCall(one, cost);
    if (!outside) body.end();
    this.line = null;
    this.spent += cost;
  }
  // Marked SRAM has been written to: where it was code, this function may be no longer what it says.
  overwritten(one, offset, size, cost) {
    const { body } = this;
    offset();
    body.i32(SRAM_BASE).op(add).i32(size).call(CALLS.overwritten).if();
    this.leave(one.next, UNTRANSLATED, this.spent + cost);
    body.end();
  }
  writeDivider(offset, value) {
    const { body } = this, index = (offset - FIRST) >> 2;
    this.spent += 1;
    if (index === 6) return;
    body.i32(0);
    value();
    body.store32(cellAt(DIVIDER_CELL + [0, 1, 0, 1, 2, 3][index]));
    if (index < 4) body.i32(index >> 1).call(CALLS.divide);
    else body.i32(0).i32(3).store32(cellAt(DIVIDER_CELL + 4));
  }

  // ---- lists of registers ---------------------------------------------------------------------------------------------
  // With the offset in SRAM of the lowest word in O: leaves the instruction to the interpreter where it is not so.
  unlessInSram(one, room) {
    const { body } = this;
    body.get(O).i32(2).op(ops.rotr).i32((SRAM_SIZE - room) >>> 2).op(ops.gtU).if();
    this.leave(one.at, FETCHED, this.spent);
    body.end();
  }
  storeList(one, registers, cost) {
    const { body } = this;
    registers.forEach((n, i) => { body.get(O); this.read(n); body.store32(SRAM_AT + 4 * i); });
    body.get(O).i32(CODED_SHIFT).op(shrU).access(0x2d, 0, CODED_AT);
    if (registers.length > 1) {
      body.get(O).i32(4 * registers.length - 4).op(add).i32(CODED_SHIFT).op(shrU).access(0x2d, 0, CODED_AT).op(or);
    }
    return () => {
      body.if();
      this.overwritten(one, () => body.get(O), 4 * registers.length, cost);
      body.end();
    };
  }

  // ---- instructions ---------------------------------------------------------------------------------------------------
  // Emits one that is not left out; branches only as far as what they do beside.
  emit(one) {
    const { body } = this, { op, id, at } = one, d = op & 7, m = (op >> 3) & 7, high = (op >> 8) & 7;
    this.at = at;
    const plain = () => { this.spent += 1; };
    switch (id) {
      case 0: case 1: case 2: this.shiftBy(id, d, m, (op >> 6) & 31); plain(); return;
      case 3: this.arithmetic(ADD, d, m, (op >> 6) & 7, null); plain(); return;
      case 4: this.arithmetic(SUB, d, m, (op >> 6) & 7, null); plain(); return;
      case 5: this.arithmetic(ADD, d, m, null, (op >> 6) & 7); plain(); return;
      case 6: this.arithmetic(SUB, d, m, null, (op >> 6) & 7); plain(); return;
      case 7: body.i32(op & 0xff); this.result(high, op & 0xff); plain(); return;
      case 8: this.arithmetic(SUB, null, high, null, op & 0xff); plain(); return;
      case 9: this.arithmetic(ADD, high, high, null, op & 0xff); plain(); return;
      case 10: this.arithmetic(SUB, high, high, null, op & 0xff); plain(); return;
      case 11: this.read(d); this.read(m); body.op(and); this.result(d); plain(); return;
      case 12: this.read(d); this.read(m); body.op(xor); this.result(d); plain(); return;
      case 13: case 14: case 15: case 18: this.shiftByRegister(id, d, m); plain(); return;
      case 16: case 17: this.withCarry(id, d, m); plain(); return;
      case 19: this.read(d); this.read(m); body.op(and); this.result(null); plain(); return;
      case 20: body.i32(0).set(A); this.read(m); body.tee(B).set(X).i32(0).get(B).op(sub); this.resultOf(SUB, d); plain(); return;
      case 21: this.arithmetic(SUB, null, d, m, null); plain(); return;
      case 22: this.arithmetic(ADD, null, d, m, null); plain(); return;
      case 23: this.read(d); this.read(m); body.op(or); this.result(d); plain(); return;
      case 24: this.read(d); this.read(m); body.op(ops.mul); this.result(d); plain(); return;
      case 25: this.read(d); this.read(m); body.i32(-1).op(xor, and); this.result(d); plain(); return;
      case 26: this.read(m); body.i32(-1).op(xor); this.result(d); plain(); return;
      case 27: case 29: this.anyRegister(one); return;
      case 28: {
        const n = ((op >> 4) & 8) | d, n2 = (op >> 3) & 15, read = (i) => (i === PC ? body.i32(at + 2) : this.read(i));
        read(n); body.set(A); read(n2); body.set(B).get(A).get(B).op(sub);
        this.resultOf(SUB, null);
        plain();
        return;
      }
      case 32: this.literal(one, high, ((at + 4) & ~3) + ((op & 0xff) << 2)); return;
      case 33: this.store(one, this.sum(m, (op >> 6) & 7), 4, () => this.read(d)); return;
      case 34: this.store(one, this.sum(m, (op >> 6) & 7), 2, () => this.read(d)); return;
      case 35: this.store(one, this.sum(m, (op >> 6) & 7), 1, () => this.read(d)); return;
      case 36: this.load(one, this.sum(m, (op >> 6) & 7), 1, 0x2c, () => this.write(d)); return;
      case 37: this.load(one, this.sum(m, (op >> 6) & 7), 4, 0x28, () => this.write(d)); return;
      case 38: this.load(one, this.sum(m, (op >> 6) & 7), 2, 0x2f, () => this.write(d)); return;
      case 39: this.load(one, this.sum(m, (op >> 6) & 7), 1, 0x2d, () => this.write(d)); return;
      case 40: this.load(one, this.sum(m, (op >> 6) & 7), 2, 0x2e, () => this.write(d)); return;
      case 41: this.store(one, this.offset(m, (op >> 4) & 0x7c), 4, () => this.read(d)); return;
      case 42: this.load(one, this.offset(m, (op >> 4) & 0x7c), 4, 0x28, () => this.write(d)); return;
      case 43: this.store(one, this.offset(m, (op >> 6) & 31), 1, () => this.read(d)); return;
      case 44: this.load(one, this.offset(m, (op >> 6) & 31), 1, 0x2d, () => this.write(d)); return;
      case 45: this.store(one, this.offset(m, (op >> 5) & 0x3e), 2, () => this.read(d)); return;
      case 46: this.load(one, this.offset(m, (op >> 5) & 0x3e), 2, 0x2f, () => this.write(d)); return;
      case 47: this.store(one, this.offset(SP, (op & 0xff) << 2), 4, () => this.read(high)); return;
      case 48: this.load(one, this.offset(SP, (op & 0xff) << 2), 4, 0x28, () => this.write(high)); return;
      case 49: { const to = ((at + 4) & ~3) + ((op & 0xff) << 2); body.i32(to); this.write(high, to); plain(); return; }
      case 50: this.read(SP); body.i32((op & 0xff) << 2).op(add); this.write(high); plain(); return;
      case 51: this.read(SP); body.i32((op & 0x7f) << 2).op(add).i32(~3).op(and); this.write(SP); plain(); return;
      case 52: this.read(SP); body.i32((op & 0x7f) << 2).op(sub).i32(~3).op(and); this.write(SP); plain(); return;
      case 53: this.read(m); body.op(ops.extend16); this.write(d); plain(); return;
      case 54: this.read(m); body.op(ops.extend8); this.write(d); plain(); return;
      case 55: this.read(m); body.i32(0xffff).op(and); this.write(d); plain(); return;
      case 56: this.read(m); body.i32(0xff).op(and); this.write(d); plain(); return;
      case 57: this.push(one); return;
      case 59: this.reverse(m); this.write(d); plain(); return;
      case 60: this.read(m); body.i32(0x00ff00ff).op(and).i32(8).op(shl); this.read(m); body.i32(8).op(shrU).i32(0x00ff00ff).op(and, or); this.write(d); plain(); return;
      case 61: this.read(m); body.i32(24).op(shl).i32(16).op(shrS); this.read(m); body.i32(8).op(shrU).i32(0xff).op(and, or); this.write(d); plain(); return;
      case 62: this.pop(one); return;
      case 64: plain(); return;
      case 68: this.storeMultiple(one); return;
      case 69: this.loadMultiple(one); return;
      case 30: case 31: this.exchange(one); return;
    }
    throw new Error(`instruction ${id} has no translation`);
  }

  shiftBy(id, d, m, s) {
    const { body } = this, from = this.known.get(m);
    if (id === 0 && s === 0) { this.read(m); this.result(d, from ?? null); return; }
    this.read(m);
    body.tee(SHIFTED);
    let value = null;
    if (id === 0) {
      body.i32(s).op(shl);
      if (from !== undefined) value = from << s;
    } else if (id === 1) {
      if (s) body.i32(s).op(shrU); else body.op(ops.drop).i32(0);
    } else {
      body.i32(s || 31).op(shrS);
    }
    this.operated = true;
    this.carry = SHIFTED;
    this.shift = id === 0 ? s - 1 : (32 - s) & 31;
    this.used.add(C); this.written.add(C);
    this.result(d, value);
  }
  // By the low byte of a register; 0 leaves C. In 64 bits the carry is beside the result.
  shiftByRegister(id, d, m) {
    const { body } = this;
    this.settleCarry();
    this.read(m);
    body.i32(0xff).op(and).set(T);
    this.read(d);
    body.set(SHIFTED);
    if (id === 18) {
      body.get(SHIFTED).get(T).op(ops.rotr).set(O);
      body.get(O).get(this.flagLocal(C)).get(T).op(ops.select);
      this.setFlag(C);
      body.get(O);
    } else {
      const wide = () => {
        body.get(SHIFTED).op(id === 15 ? ops.extendS : ops.extendU);
        if (id !== 13) body.i64(32).op(ops.shl64);
        body.get(T).i32(63).get(T).i32(63).op(ops.ltU, ops.select, ops.extendU);
        body.op(id === 13 ? ops.shl64 : id === 14 ? ops.shrU64 : ops.shrS64);
      };
      wide();
      if (id === 13) body.i64(1).op(ops.shrU64);
      body.op(ops.wrap).get(this.flagLocal(C)).get(T).op(ops.select);
      this.setFlag(C);
      wide();
      if (id !== 13) body.i64(32).op(ops.shrU64);
      body.op(ops.wrap);
    }
    this.result(d);
  }
  // Rd = Rn and Rm, or Rn and a constant.
  arithmetic(operation, d, n, m, constant) {
    const { body, known } = this, a = known.get(n), b = m === null ? constant : known.get(m);
    this.read(n);
    body.set(A);
    if (m === null) body.i32(constant); else this.read(m);
    body.set(B).get(A).get(B).op(operation === ADD ? add : sub);
    let value = null;
    if (a !== undefined && b !== undefined) value = operation === ADD ? (a + b) | 0 : (a - b) | 0;
    this.resultOf(operation, d, value);
  }
  withCarry(id, d, m) {
    const { body } = this;
    this.settleCarry();
    this.read(d);
    body.set(A);
    this.read(m);
    if (id === 17) body.i32(-1).op(xor);
    body.set(B).get(A).get(B).op(add).get(this.flagLocal(C)).i32(31).op(shrU, add);
    this.resultOf(CARRY, d);
  }
  // ADD and MOV with any registers.
  anyRegister(one) {
    const { body } = this, { op, id, at } = one, d = ((op >> 4) & 8) | (op & 7), m = (op >> 3) & 15;
    const read = (n) => (n === PC ? body.i32(at + 4) : this.read(n));
    if (id === 27) { read(d); read(m); body.op(add); } else read(m);
    this.spent += 1;
    if (d === PC) { this.spent += 1; body.i32(~1).op(and).set(PC_OUT); return; }
    if (d === SP) body.i32(~3).op(and);
    this.write(d, id === 29 && d !== SP ? this.known.get(m) ?? null : null);
  }
  sum(n, m) {
    const { known } = this, a = known.get(n), b = known.get(m);
    if (a !== undefined && b !== undefined) return (a + b) >>> 0;
    return () => { this.read(n); this.read(m); this.body.op(add); };
  }
  offset(n, by) {
    const a = this.known.get(n);
    if (a !== undefined) return (a + by) >>> 0;
    return () => { this.read(n); if (by) this.body.i32(by).op(add); };
  }
  // From flash and the boot ROM it is part of the code.
  literal(one, d, at) {
    const { body } = this, inFlash = at >>> 24 === 0x10;
    if (!inFlash && at >= 0x4000) { this.loadFrom(one, at >>> 0, 4, 0x28, () => this.write(d)); return; }
    const value = this.read32(at);
    this.literals.push(at);
    if (inFlash && this.cached) this.lookAt(() => body.i32(at));
    body.i32(value);
    this.write(d, value);
    if (inFlash && this.cached) {
      if (!one.last) this.leaveWhereLate(one.next, BUDGET, this.spent + 2);
      this.line = null;
    }
    this.spent += 2;
  }
  // The bytes of Rm the other way round.
  reverse(m) {
    const { body } = this;
    this.read(m);
    body.i32(8).op(ops.rotl).i32(0x00ff00ff).op(and);
    this.read(m);
    body.i32(8).op(ops.rotr).i32(0xff00ff00 | 0).op(and, or);
  }

  push(one) {
    const { body } = this, { op } = one, list = listed(op & 0xff);
    const cost = list.length + 1, all = op & 0x100 ? [...list, LR] : list;
    this.read(SP);
    body.i32(SRAM_BASE + 4 * all.length).op(sub).set(O);
    this.unlessInSram(one, 4 * all.length);
    const finish = this.storeList(one, all, cost);
    body.get(O).i32(SRAM_BASE).op(add);
    this.write(SP);
    finish();
    this.spent += cost;
  }
  pop(one) {
    const { body } = this, { op } = one, list = listed(op & 0xff);
    this.read(SP);
    body.i32(SRAM_BASE).op(sub).set(O);
    this.unlessInSram(one, 36);
    if (op & 0x100) {
      body.get(O).load32(SRAM_AT + 4 * list.length).tee(T);
      this.unlessException(one);
      body.get(T).i32(~1).op(and).set(PC_OUT);
    }
    list.forEach((n, i) => { body.get(O).load32(SRAM_AT + 4 * i); this.write(n); });
    body.get(O).i32(SRAM_BASE + 4 * (list.length + (op & 0x100 ? 1 : 0))).op(add);
    this.write(SP);
    this.spent += list.length + (op & 0x100 ? 3 : 1);
  }
  // B1.5.8: where it may be a return from an exception, it is left to the interpreter. Takes the address from the stack.
  unlessException(one) {
    const { body } = this;
    body.i32(28).op(shrU).i32(15).op(ops.eq).if();
    this.leave(one.at, FETCHED, this.spent);
    body.end();
  }
  storeMultiple(one) {
    const { body } = this, { op } = one, list = listed(op & 0xff), n = (op >> 8) & 7, cost = list.length + 1;
    this.read(n);
    body.i32(SRAM_BASE).op(sub).set(O);
    this.unlessInSram(one, 32);
    if (!list.length) { this.spent += cost; return; }
    const finish = this.storeList(one, list, cost);
    body.get(O).i32(SRAM_BASE + 4 * list.length).op(add);
    this.write(n);
    finish();
    this.spent += cost;
  }
  loadMultiple(one) {
    const { body } = this, { op } = one, list = listed(op & 0xff), n = (op >> 8) & 7;
    this.read(n);
    body.i32(SRAM_BASE).op(sub).set(O);
    this.unlessInSram(one, 32);
    list.forEach((i, k) => { body.get(O).load32(SRAM_AT + 4 * k); this.write(i); });
    if (!list.includes(n)) { body.get(O).i32(SRAM_BASE + 4 * list.length).op(add); this.write(n); }
    this.spent += list.length + 1;
  }
  // BX and BLX.
  exchange(one) {
    const { body } = this, { op, id, at } = one, m = (op >> 3) & 15;
    if (m === PC) body.i32(at + 2); else this.read(m);
    if (id === 30) { body.tee(T); this.unlessException(one); body.get(T); }
    body.i32(~1).op(and).set(PC_OUT);
    if (id === 31) { body.i32((at + 2) | 1); this.write(LR, (at + 2) | 1); }
    this.spent += 2;
  }
}

export function pushCarryOf(body, carry, shift) {
  if (carry === SHIFTED) {
    body.get(SHIFTED);
    if (shift) body.i32(shift).op(shl);
  } else if (carry === SUB) {                            // (a & ~b) | ((a | ~b) & ~x)
    body.get(A).get(B).i32(-1).op(xor, and).get(A).get(B).i32(-1).op(xor, or).get(X).i32(-1).op(xor, and, or);
  } else {                                               // (a & b) | ((a | b) & ~x)
    body.get(A).get(B).op(and).get(A).get(B).op(or).get(X).i32(-1).op(xor, and, or);
  }
}
export function pushOverflowOf(body, operation) {
  if (operation === SUB) body.get(A).get(B).op(xor).get(A).get(X).op(xor, and);
  else body.get(A).get(X).op(xor).get(B).get(X).op(xor, and);
}

function listed(bits) { return [0, 1, 2, 3, 4, 5, 6, 7].filter((n) => (bits >> n) & 1); }
function isDivider(at) { return at >= SIO + FIRST && at <= SIO + LAST && (at & 3) === 0; }
