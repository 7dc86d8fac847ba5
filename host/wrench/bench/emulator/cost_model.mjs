// Time that silicon spends and rp2040js does not: exception entry and exit, and misses of the flash (XIP) cache.
// Figures: RP2040 datasheet section 2.6.3 (16 kB cache, two-way, 8-byte lines); 16 cycles in and 11 out of a Cortex-M0+
// exception with the stacking done from SRAM; a miss fetches 8 bytes over QSPI at half the system clock, about 50 cycles.

import { SETS } from './memory.mjs';

const EXCEPTION_CYCLES = 27;
const LINE_SHIFT = 3, TAG_SHIFT = LINE_SHIFT + 10;

export function chargeExceptions(core, clock) {
  const enter = core.exceptionEntry.bind(core);
  core.exceptionEntry = (number) => {
    enter(number);
    clock.charge(EXCEPTION_CYCLES);
  };
}

export class XipCache {
  // `hits` counts look-ups that found their line; a core that fetches on within one line looks it up once.
  constructor(missCycles, memory) {
    this.missCycles = missCycles;
    this.tags = memory.tags.fill(-1);
    this.older = memory.older.fill(0);
    this.looks = memory.looks.fill(0);
  }
  get hits() { return this.looks[0]; }
  get misses() { return this.looks[1]; }
  // What reading `address` costs beyond a hit, in cycles.
  look(address) {
    const set = (address >>> LINE_SHIFT) & (SETS - 1), tag = (address & 0xffffff) >> TAG_SHIFT, way = set << 1;
    if (this.tags[way] === tag) { this.older[set] = 1; this.looks[0]++; return 0; }
    if (this.tags[way + 1] === tag) { this.older[set] = 0; this.looks[0]++; return 0; }
    this.looks[1]++;
    this.tags[way + this.older[set]] = tag;
    this.older[set] ^= 1;
    return this.missCycles;
  }
  // Two addresses that compete for the same two lines.
  static sameSet(a, b) { return ((a ^ b) & ((SETS - 1) << LINE_SHIFT)) === 0; }
}

// Charges what the core itself reads through its own methods.
export function chargeFlashReads(core, clock, cache) {
  for (const name of ['readUint8', 'readUint16', 'readUint32']) {
    const read = core[name];
    core[name] = (address) => {
      address >>>= 0;
      if (address >>> 24 === 0x10) {
        const cost = cache.look(address);
        if (cost) clock.charge(cost);
      }
      return read(address);
    };
  }
}
