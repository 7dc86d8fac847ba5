// Which instructions are translated together: what direct branches reach from one address, cut into blocks.
//
// A block begins where something may come from elsewhere: at a branch's target, behind a branch, where a call returns to,
// and behind an instruction that is left to the interpreter. It ends with a branch, or where the next one begins.

import { OPS } from './instruction_set.mjs';

const MOST_INSTRUCTIONS = 320, MOST_IN_BLOCK = 24, MOST_BLOCKS = 120;
const PC = 15;

// What an instruction does to the flow of control.
export const ON = 0, CONDITION = 1, JUMP = 2, CALL = 3, ELSEWHERE = 4, LEFT_OUT = 5, LAST_LEFT_OUT = 6;

// {at, op, op2, id, flow, target, next}; `target` of CONDITION, JUMP and CALL.
export function decode(at, read16) {
  const op = read16(at), id = OPS[op];
  const found = { at, op, op2: 0, id, flow: ON, target: 0, next: at + 2 };
  if (id >= 70 && id <= 83) {
    found.flow = CONDITION;
    found.target = (at + 4 + ((op << 24) >> 23)) >>> 0;
  } else if (id === 86) {
    found.flow = JUMP;
    found.target = (at + 4 + ((op << 21) >> 20)) >>> 0;
  } else if (id === 87) {
    const op2 = found.op2 = read16(at + 2);
    found.next = at + 4;
    if ((op2 & 0xd000) === 0xd000) {                      // BL: A6.7.13
      const s = (op << 21) >> 31, j1 = (op2 >> 13) & 1, j2 = (op2 >> 11) & 1;
      const offset = (s << 24) | ((~(j1 ^ s) & 1) << 23) | ((~(j2 ^ s) & 1) << 22) | ((op & 0x3ff) << 12) | ((op2 & 0x7ff) << 1);
      found.flow = CALL;
      found.target = (at + 4 + offset) >>> 0;
    } else {
      found.flow = LEFT_OUT;
    }
  } else if (id === 30 || (id === 62 && op & 0x100) || ((id === 27 || id === 29) && ((op >> 4) & 8 | op & 7) === PC)) {
    found.flow = ELSEWHERE;
  } else if (id === 31) {
    found.flow = ELSEWHERE;
  } else if (id === 58 || id === 65 || id === 66 || id === 67) {
    found.flow = LEFT_OUT;
  } else if (id === 63 || id === 84 || id === 85 || id >= 88) {
    found.flow = LAST_LEFT_OUT;
  }
  if ((id === 57 || id === 62) && !(op & 0x1ff)) found.flow = LAST_LEFT_OUT;       // no register: unpredictable
  return found;
}

// The blocks around `start` in order of address: [{at, code: [instructions], next}].
// read16(address); inside(address): may be translated; taken(address): belongs to another region;
// seen(address): has been branched to often enough to be worth it.
export function findRegion(start, { read16, inside, taken, seen }) {
  const found = new Map(), leaders = new Set([start]), waiting = [start];
  let blocks = 1;
  const wanted = (at) => found.has(at) || (inside(at) && !taken(at) && blocks < MOST_BLOCKS);
  while (waiting.length && found.size < MOST_INSTRUCTIONS) {
    let at = waiting.shift();
    while (!found.has(at) && inside(at) && inside(at + 2) && found.size < MOST_INSTRUCTIONS && (at === start || !taken(at))) {
      const one = decode(at, read16);
      found.set(at, one);
      const { flow, target, next } = one;
      if (flow !== ON) { leaders.add(next); blocks++; }
      if ((flow === JUMP && wanted(target)) || (flow === CONDITION && wanted(target) && (found.has(target) || seen(target)))) {
        leaders.add(target);
        waiting.push(target);
        blocks++;
      }
      if (flow === JUMP || flow === LAST_LEFT_OUT || (flow === ELSEWHERE && one.id !== 31)) break;
      if ((flow === CALL || flow === ELSEWHERE) && !seen(next)) break;
      at = next;
    }
  }
  return cut([...found.values()].sort((a, b) => a.at - b.at), leaders);
}

function cut(code, leaders) {
  const blocks = [];
  let block = null;
  for (const one of code) {
    if (block === null || block.next !== one.at || leaders.has(one.at) || block.code.length === MOST_IN_BLOCK) {
      block = { at: one.at, code: [], next: one.at };
      blocks.push(block);
    }
    block.code.push(one);
    block.next = one.next;
  }
  return blocks;
}
