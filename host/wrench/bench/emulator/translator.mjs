// A region's blocks as one WebAssembly function.
//
// Its parameters are the block to begin with and the cycles left until the clock's next event; it ends with why it did.
// Registers are locals, loaded at entry and stored at exit. A block is begun only when all its instructions but the last
// end before the next event: what comes close to one is the interpreter's. So a stretch ends at the same instruction.

import {
  A, ADD, C, CARRY, ENTRY, EXIT, InstructionCode, LEFT, LINE, LOCALS, NZ, PC_OUT, R0, SHIFTED, SUB, V, WORD, pushCarryOf,
  pushOverflowOf,
} from './instruction_code.mjs';
import { EXITS_AT, HEADS_AT, HEADS_WINDOW, REGISTERS_AT } from './memory.mjs';
import { CALL, CONDITION, ELSEWHERE, JUMP, LAST_LEFT_OUT, LEFT_OUT as ONE_LEFT_OUT } from './region.mjs';
import { BLOCK_BITS, BUDGET, C_CELL, IMPORTS, LEFT_CELL, LEFT_OUT, LINE_CELL, N_CELL, UNTRANSLATED, V_CELL, cellAt } from './shared.mjs';
import { Body, I32, moduleOf, ops } from './wasm_writer.mjs';

const LR = 14, PARAMETERS = 2;
const REGION_TYPE = 0;
const PC_BITS = 0x3fffffff;              // of an exit's first word; why is above
const PC_AT = REGISTERS_AT + 4 * 15;
const WINDOWS_END = 0x20000000 + HEADS_WINDOW, NOT_IN_WINDOW = 0x10000000 - HEADS_WINDOW;

const inner = new Body(), whole = new Body();

// {bytes, literals, exits}: the function's, the addresses in flash or boot ROM that it has words of, and what is to be put
// at `firstExit` bytes into the exits.
export function translate(blocks, { cached, read32 }, firstExit) {
  const body = inner.clear(), code = new BlockCode(body, cached, read32, firstExit);
  const numbers = new Map(blocks.map((block, i) => [block.at, i])), count = blocks.length;
  code.exitLevel = body.block();
  const again = body.loop(), labels = new Array(count);
  for (let i = count - 1; i >= 0; i--) labels[i] = body.block();
  body.get(ENTRY).brTable([...labels, labels[count - 1]]);
  blocks.forEach((block, i) => {
    body.end();
    code.block(block, i, { numbers, labels, again });
  });
  body.end().op(ops.unreachable).end();
  return { bytes: around(body, code).bytes.slice(), literals: code.literals, exits: code.exits };
}

class BlockCode extends InstructionCode {
  block(block, index, region) {
    const { body } = this, { code } = block, last = code[code.length - 1];
    const repeats = (last.flow === CONDITION || last.flow === JUMP) && last.target === block.at;
    body.room();
    const top = repeats ? body.loop() : 0;
    this.beginBlock();
    this.budget = costBeforeLast(code);
    this.leaveWhereLate(block.at, BUDGET, 0);
    const go = (target, cost) => {
      const number = region.numbers.get(target);
      if (number === undefined) {
        if (target > PC_BITS) body.i32(target).set(PC_OUT);
        this.leave(target > PC_BITS ? null : target, UNTRANSLATED, cost);
        return;
      }
      this.storeFlags();
      this.pay(cost);
      if (number === index && repeats) body.br(top);
      else if (number > index) body.br(region.labels[number]);
      else body.i32(number).set(ENTRY).br(region.again);
    };
    for (const one of code) {
      body.room();
      one.last = one === last;
      if (one.flow === ONE_LEFT_OUT || one.flow === LAST_LEFT_OUT) { this.leave(one.at, LEFT_OUT, this.spent); break; }
      this.fetch(one.at, one.last);
      switch (one.flow) {
        case CONDITION:
          this.storeFlags();
          this.condition(one.id);
          body.if();
          this.settled(() => go(one.target, this.spent + 2));
          body.end();
          this.settled(() => go(one.next, this.spent + 1));
          break;
        case JUMP: go(one.target, this.spent + 2); break;
        case CALL:
          this.fetch(one.at + 2, true);
          body.i32(one.next | 1);
          this.write(LR);
          go(one.target, this.spent + 3);
          break;
        case ELSEWHERE: this.emit(one); this.leave(null, UNTRANSLATED, this.spent); break;
        default:
          this.emit(one);
          if (one.last) go(one.next, this.spent);
      }
    }
    if (repeats) body.op(ops.unreachable).end();
  }

  // Flags are in their locals already.
  settled(emit) {
    const { carry, operation } = this;
    this.carry = this.operation = 0;
    emit();
    this.carry = carry;
    this.operation = operation;
  }
}

// What is loaded before the blocks and stored after them.
function around(inner, code) {
  const body = whole.clear(), places = [[NZ, cellAt(N_CELL)], [C, cellAt(C_CELL)], [V, cellAt(V_CELL)]];
  for (let n = 0; n <= LR; n++) places.push([R0 + n, REGISTERS_AT + 4 * n]);
  if (code.cached) { code.used.add(LINE); code.written.add(LINE); places.push([LINE, cellAt(LINE_CELL)]); }
  for (const [local, at] of places) if (code.used.has(local)) body.i32(0).load32(at).set(local);
  body.room();
  body.append(inner.bytes);
  body.get(LEFT).get(EXIT).load32(EXITS_AT + 4).tee(WORD).i32(0xff).op(ops.and, ops.sub).set(LEFT);
  if (code.operated) settleFlags(body);
  for (const [local, at] of places) if (code.written.has(local)) { body.room(); body.i32(0).get(local).store32(at); }
  body.room();
  // Straight on where a translation begins at the PC.
  body.get(EXIT).load32(EXITS_AT).tee(WORD).get(PC_OUT).get(WORD).op(ops.select).set(PC_OUT);
  body.get(WORD).i32(30).op(ops.shrU, ops.eqz).if();
  body.get(PC_OUT).i32(WINDOWS_END).op(ops.ltU).get(PC_OUT).i32(NOT_IN_WINDOW).op(ops.and, ops.eqz, ops.and).if();
  body.get(PC_OUT).i32(28).op(ops.shrU).i32(22).op(ops.shl).get(PC_OUT).i32(HEADS_WINDOW - 1).op(ops.and).i32(1).op(ops.shl, ops.add);
  body.load32(HEADS_AT).tee(ENTRY).i32(0).op(ops.gtS).if();
  body.get(ENTRY).i32((1 << BLOCK_BITS) - 1).op(ops.and).get(LEFT).get(ENTRY).i32(BLOCK_BITS).op(ops.shrU).returnCallIndirect(REGION_TYPE);
  body.end().end().end();
  body.i32(0).get(PC_OUT).i32(PC_BITS).op(ops.and).get(PC_OUT).get(WORD).i32(30).op(ops.shrU, ops.select).store32(PC_AT);
  body.i32(0).get(LEFT).store32(cellAt(LEFT_CELL)).get(WORD).i32(30).op(ops.shrU, 0x0b);
  return body;
}

// C and V where the exit says that they are still what they come from; its second word is in WORD.
function settleFlags(body) {
  const where = (shift, mask, kind) => body.get(WORD).i32(shift).op(ops.shrU).i32(mask).op(ops.and).i32(kind).op(ops.eq).if();
  for (const kind of [ADD, SUB, CARRY]) {
    body.room();
    where(8, 3, kind);
    pushOverflowOf(body, kind);
    body.set(V).end();
  }
  for (const kind of [ADD, SUB, CARRY, SHIFTED]) {
    body.room();
    where(10, 63, kind);
    if (kind === SHIFTED) body.get(SHIFTED).get(WORD).i32(16).op(ops.shrU, ops.shl); else pushCarryOf(body, kind, 0);
    body.set(C).end();
  }
}

// The least that the instructions before the last cost.
function costBeforeLast(code) {
  let cost = 0;
  for (const { id, op } of code.slice(0, -1)) cost += costOf(id, op);
  return cost;
}
function costOf(id, op) {
  if (id === 57 || id === 62 || id === 68 || id === 69) return 1 + ones(op & 0xff);
  return id >= 32 && id <= 48 ? 2 : 1;
}
function ones(x) { let n = 0; for (; x; x &= x - 1) n++; return n; }

// One module of many regions' functions, which go into the table from `at` on.
export function moduleOfRegions(bodies, at, pages) {
  const types = [[[I32, I32], [I32]]];
  const imports = [['memory', { memory: pages }], ['table', { table: 1 }]];
  for (const [name, parameters, gives] of IMPORTS) {
    imports.push([name, { func: types.length }]);
    types.push([new Array(parameters).fill(I32), gives ? [I32] : []]);
  }
  const functions = bodies.map((code) => ({ type: REGION_TYPE, locals: LOCALS - PARAMETERS, code }));
  return moduleOf({ types, imports, functions, elementsAt: at, elements: bodies.map((_, i) => IMPORTS.length + i) });
}
