// Time that silicon spends and rp2040js does not: exception entry and exit, and misses of the flash (XIP) cache.
// Figures: RP2040 datasheet section 2.6.3 (16 kB cache, two-way, 8-byte lines); 16 cycles in and 11 out of a Cortex-M0+
// exception with the stacking done from SRAM; a miss fetches 8 bytes over QSPI at half the system clock, about 50 cycles.

const EXCEPTION_CYCLES = 27;
const SETS = 1024, LINE_SHIFT = 3;

export function chargeExceptions(rp2040, clock, nanosPerCycle) {
  const core = rp2040.core, enter = core.exceptionEntry.bind(core);
  core.exceptionEntry = (number) => {
    enter(number);
    core.cycles += EXCEPTION_CYCLES;
    clock.nanosCounter += EXCEPTION_CYCLES * nanosPerCycle();
  };
}

// Returns {hits, misses}, counted as the chip runs.
export function modelXipCache(rp2040, clock, nanosPerCycle, missCycles) {
  const core = rp2040.core, counts = { hits: 0, misses: 0 };
  const tags = new Int32Array(2 * SETS).fill(-1), older = new Uint8Array(SETS);
  const look = (address) => {
    const line = (address & 0xffffff) >> LINE_SHIFT, set = line & (SETS - 1), tag = line >> 10, way = set << 1;
    if (tags[way] === tag) { older[set] = 1; counts.hits++; return; }
    if (tags[way + 1] === tag) { older[set] = 0; counts.hits++; return; }
    counts.misses++;
    tags[way + older[set]] = tag;
    older[set] ^= 1;
    core.cycles += missCycles;
    clock.nanosCounter += missCycles * nanosPerCycle();
  };
  for (const name of ['readUint8', 'readUint16', 'readUint32']) {
    const read = core[name];
    core[name] = (address) => {
      address >>>= 0;
      if (address >>> 24 === 0x10) look(address);
      return read(address);
    };
  }
  return counts;
}
