// Shows the interpreter every instruction before a chip runs on it.
//
// V8 compiles `execute` for what it has seen, and throws that away at the first case that it has not. It is so long that
// each time costs a tenth of a second and more: ten times in a boot of MicroPython without this.

import { ENCODINGS } from './instruction_set.mjs';

const SRAM = 0x20000000, FLASH = 0x10000000, CODE = SRAM + 0x10000, STACK = SRAM + 0x8000, DATA = SRAM + 0x4000;
const SCRATCH = 0x4005800c;                              // a register that does nothing (WATCHDOG, section 4.7.6)
const DIVIDER = 0xd0000060, ROM = 0x100;
const UNDEFINED = 0xb100, LOOP_NS = 5000, TIMES = 32, SP = 13, LR = 14, PC = 15, HANDLER = 1, THREAD = 0;
const STORES = /^(STR|STM|PUSH)/, LOADS = /^(LDR|LDM|POP)/;
const VALUES = [0, 1, 31, 32, 33, 300, 0x7fffffff, 0x80000000, 0xffffffff, 0x12345678];

// The chip is to be powered up anew afterwards.
export function warmUp({ rp2040, clock, executor }) {
  const { core, sramView } = rp2040;
  let state = 1;
  const random = (n) => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0, (state >>> 8) % n);
  for (const [, bits, name] of ENCODINGS) {
    const mask = parseInt(bits.replace(/[01]/g, '0').replace(/-/g, '1'), 2), fixed = parseInt(bits.replace(/-/g, '0'), 2);
    const bases = STORES.test(name) ? [DATA, DATA, SCRATCH, DIVIDER] : [DATA, DATA, FLASH + 0x1000, ROM, SCRATCH, DIVIDER];
    for (let time = 0; time < TIMES; time++) {
      const memory = STORES.test(name) || LOADS.test(name);
      // Registers 0 to 3 hold bases, the others offsets, whatever the instruction makes of them.
      const base = bases[time % bases.length];
      for (let n = 0; n < PC; n++) core.registers[n] = memory ? (n < 4 ? base : 0) : VALUES[random(VALUES.length)];
      let op = name === 'undefined' ? UNDEFINED : fixed | (random(0x10000) & mask);
      if (memory && name.includes('Rm]')) op = (op & ~0x1f8) | (4 << 6) | (random(4) << 3);
      if (memory && name.includes('#imm') && name.includes('Rn')) op = (op & ~0x7f8) | (random(4) << 3);
      if (/^(STM|LDM)/.test(name)) op = (op & ~0x700) | (random(4) << 8);
      if (memory && name.includes('SP')) op &= ~0xff;
      if (/^(PUSH|POP)/.test(name)) op |= 1;
      core.registers[SP] = name.includes('SP,') && memory ? base : STACK;
      core.registers[LR] = time & 4 && name === 'BX' ? 0xfffffff9 : CODE | 1;
      if (name === 'BX' || name === 'BLX') op = (op & ~0x78) | (LR << 3);
      sramView.setUint16(CODE - SRAM, op, true);
      sramView.setUint16(CODE - SRAM + 2, time & 1 ? 0xf800 | random(0x800) : 0x8800 | (time & 16), true);
      core.registers[PC] = CODE;
      [core.N, core.Z, core.C, core.V] = [1, 2, 4, 8].map((bit) => (random(16) & bit) !== 0);
      core.currentMode = name === 'BX' && time & 4 ? HANDLER : THREAD;
      core.PM = core.nPRIV = false;
      core.SPSEL = 0;
      core.bankedSP = STACK;
      core.waiting = core.interruptsUpdated = core.pendingSVCall = false;
      clock.stopAt = clock.nanosCounter;
      executor.run();
    }
  }  // A stretch with branches.
  const LOOP = [0x3001, 0xd1fd, 0xd000, 0xe7fb];           // adds r0, #1; bne -; beq +; b -
  LOOP.forEach((half, i) => sramView.setUint16(CODE - SRAM + 2 * i, half, true));
  core.registers[PC] = CODE;
  clock.stopAt = clock.nanosCounter + LOOP_NS;
  executor.run();
}
