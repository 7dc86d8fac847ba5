// The functions that translated code is entered by and calls, as far as they are WebAssembly themselves.

import { DIVIDER_CELL } from './divider.mjs';
import { LOOKS_AT, OLDER_AT, SETS, TAGS_AT } from './memory.mjs';
import { cellAt } from './shared.mjs';
import { Body, I32, moduleOf, ops } from './wasm_writer.mjs';

const [DIVIDEND, DIVISOR, QUOTIENT, REMAINDER, STATUS] = [0, 1, 2, 3, 4].map((i) => cellAt(DIVIDER_CELL + i));
const LINE_SHIFT = 3, TAG_SHIFT = 13;

// {enter(head's place, block, cycles left), look(address), divide(signed)}
export function makeEngine(memory, table, missCycles) {
  const types = [[[I32, I32], [I32]], [[I32, I32, I32], [I32]], [[I32], [I32]], [[I32], []]];
  const pages = memory.buffer.byteLength >>> 16;
  const bytes = moduleOf({
    types,
    imports: [['memory', { memory: pages }], ['table', { table: 1 }]],
    functions: [
      { type: 1, locals: 0, code: new Body().get(1).get(2).get(0).callIndirect(0).op(0x0b).bytes },
      { type: 2, locals: 3, code: look(missCycles).bytes },
      { type: 3, locals: 2, code: divide().bytes },
    ],
    exports: [['enter', 0], ['look', 1], ['divide', 2]],
  });
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory, table } }).exports;
}

// `XipCache.look`
function look(missCycles) {
  const body = new Body(), ADDRESS = 0, SET = 1, TAG = 2, PAIR = 3;
  const count = (at) => body.i32(0).i32(0).access(0x2b, 3, at).append([0x44, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0xa0]).access(0x39, 3, at);
  body.get(ADDRESS).i32(LINE_SHIFT).op(ops.shrU).i32(SETS - 1).op(ops.and).tee(SET).i32(3).op(ops.shl).set(PAIR);
  body.get(ADDRESS).i32(0xffffff).op(ops.and).i32(TAG_SHIFT).op(ops.shrU).set(TAG);
  body.get(PAIR).load32(TAGS_AT).get(TAG).op(ops.eq).if();
  body.get(SET).i32(1).access(0x3a, 0, OLDER_AT);
  count(LOOKS_AT);
  body.i32(0).op(ops.return).end();
  body.get(PAIR).load32(TAGS_AT + 4).get(TAG).op(ops.eq).if();
  body.get(SET).i32(0).access(0x3a, 0, OLDER_AT);
  count(LOOKS_AT);
  body.i32(0).op(ops.return).end();
  count(LOOKS_AT + 8);
  body.get(PAIR).get(SET).access(0x2d, 0, OLDER_AT).i32(2).op(ops.shl, ops.add).get(TAG).store32(TAGS_AT);
  body.get(SET).get(SET).access(0x2d, 0, OLDER_AT).i32(1).op(ops.xor).access(0x3a, 0, OLDER_AT);
  return body.i32(missCycles).op(0x0b);
}

// `Divider.divide`; the quotient of the smallest number and -1 does not trap.
function divide() {
  const body = new Body(), SIGNED = 0, A = 1, B = 2;
  const quotient = (push) => { body.i32(0); push(); body.store32(QUOTIENT); };
  const remainder = (push) => { body.i32(0); push(); body.store32(REMAINDER); };
  body.i32(0).load32(DIVIDEND).set(A).i32(0).load32(DIVISOR).set(B);
  body.i32(0).i32(3).store32(STATUS);
  body.get(B).op(ops.eqz).if();
  quotient(() => body.i32(-1).i32(1).get(A).op(ops.select));
  remainder(() => body.get(A));
  body.op(ops.return).end();
  body.get(SIGNED).if();
  body.get(B).i32(-1).op(ops.eq).if();
  quotient(() => body.i32(0).get(A).op(ops.sub));
  remainder(() => body.i32(0));
  body.else();
  quotient(() => body.get(A).get(B).op(ops.divS));
  remainder(() => body.get(A).get(B).op(ops.remS));
  body.end();
  body.else();
  quotient(() => body.get(A).get(B).op(ops.divU));
  remainder(() => body.get(A).get(B).op(ops.remU));
  return body.end().op(0x0b);
}
