// Which code has been translated, and when: counts what the interpreter comes to, translates what it comes to often,
// and drops what has been written over.
//
// A head is a word for each halfword of code. Positive: a translation begins there. Else it counts how often the
// interpreter has branched there.

import { BOOTROM_AT, BOOTROM_SIZE, CODED_SHIFT, FLASH_AT, HEADS_WINDOW, SRAM_AT, SRAM_SIZE } from './memory.mjs';
import { findRegion } from './region.mjs';
import { BLOCK_BITS, CALLS, IMPORTS, NEVER } from './shared.mjs';
import { moduleOfRegions, translate } from './translator.mjs';

// Measured: to translate an instruction costs as much as to interpret it some thousand times.
const HOT = 4000;                       // branches to an address before it is translated
const WARM = 16;                        // what has a so much smaller part of them is left out of a region
const BATCH = 8;                        // regions in a module, unless one is in demand
const MOST_REWRITTEN = 8;               // code that is written over as often is left to the interpreter
const FLASH_BASE = 0x10000000, SRAM_BASE = 0x20000000, FLASH_CODE = 0x200000;

// The index of an address's head; -1 where there is no code to translate.
export function slotOf(at) {
  const window = at >>> 28, offset = at & 0x0fffffff;
  return window < 3 && offset < HEADS_WINDOW ? (window << 20) | (offset >>> 1) : -1;
}

export class Translations {
  // calls: the functions of `IMPORTS` by name; table: a WebAssembly.Table.
  constructor(memory, table, calls, cached) {
    this.memory = memory;
    this.heads = memory.heads;
    this.table = table;
    this.cached = cached;
    this.environment = { memory: memory.wasm, table, ...calls };
    this.pages = memory.buffer.byteLength >>> 16;
    this.hot = HOT;
    this.next = 1;                      // place in the table
    this.exits = 0;                     // words of the memory's exits that are taken
    this.waiting = [];
    this.regions = [];                  // of those that are in force: {spans: [[from, until]], slots}
    this.elsewhere = new Uint8Array(memory.heads.length);       // by slot: has read or written neither SRAM nor flash
    this.rewritten = new Map();
    this.exactly = new Uint8Array(SRAM_SIZE);
    this.below = 0;                     // where the last of flash ends that is part of a region
    this.code = {
      read16: (at) => memory.all16[placeOf(at) >>> 1],
      inside: (at) => at < BOOTROM_SIZE || (at >= FLASH_BASE && at < FLASH_BASE + FLASH_CODE) ||
        (at >= SRAM_BASE && at < SRAM_BASE + SRAM_SIZE),
      taken: (at) => this.heads[slotOf(at)] > 0,
      seen: (at) => this.heads[slotOf(at)] > 0 || this.heads[slotOf(at)] <= -this.hot / WARM,
    };
    this.read32 = (at) => memory.all16[placeOf(at) >>> 1] | (memory.all16[(placeOf(at) >>> 1) + 1] << 16);
    memory.onChange = (address, size) => this.changed(address >>> 0, size);
  }

  // Another chip: what is in SRAM goes, what is in flash and boot ROM stays.
  renew() {
    this.changed(SRAM_BASE, SRAM_SIZE);
    this.heads.fill(0, slotOf(SRAM_BASE));
    this.rewritten.clear();
    this.waiting = this.waiting.filter((at) => at < SRAM_BASE);
    return this.exits < this.memory.exits.length / 2;
  }

  // The interpreter has branched to `at`: true where a translation begins there, now or already.
  arrived(at) {
    const slot = slotOf(at);
    if (slot < 0) return false;
    const head = this.heads[slot];
    if (head > 0) return true;
    if (head === NEVER) return false;
    this.heads[slot] = head - 1;
    const patience = Math.ceil(this.hot / WARM), times = 1 - head;
    if (times === this.hot) this.waiting.push(at >>> 0);
    else if (times !== this.hot + patience) return false;
    if (this.waiting.length >= BATCH || times === this.hot + patience) this.translate();
    return this.heads[slot] > 0;
  }

  // The load or store at `pc` has gone to `address`, which is neither in SRAM nor as simple.
  wentElsewhere(pc, address) {
    const slot = slotOf(pc);
    if (slot >= 0 && address >>> 24 !== 0x10) this.elsewhere[slot] = 1;
  }
  // The instruction at `at` was left to the interpreter: where its translation did not know that it goes elsewhere, it is
  // made anew.
  leftOut(at) {
    if (!this.elsewhere[slotOf(at)]) return;
    const region = this.regions.find(({ spans }) => spans.some(([from, until]) => at >= from && at < until));
    if (region) this.drop([region], 1 - this.hot);
  }

  // Everything that is waiting, in one module.
  translate() {
    const bodies = [], first = this.next;
    for (const at of this.waiting) {
      const slot = slotOf(at);
      if (this.heads[slot] > 0) continue;
      const blocks = this.code.inside(at) ? findRegion(at, this.code) : [];
      for (const { code } of blocks) for (const one of code) one.elsewhere = this.elsewhere[slotOf(one.at)] === 1;
      if (!blocks.length) { this.heads[slot] = NEVER; continue; }
      const { bytes, literals, exits } = translate(blocks, this, 4 * this.exits);
      if (this.exits + exits.length > this.memory.exits.length) { this.heads[slot] = NEVER; continue; }
      this.memory.exits.set(exits, this.exits);
      this.exits += exits.length;
      this.enter(blocks, literals, this.next++);
      bodies.push(bytes);
    }
    this.waiting = [];
    if (!bodies.length) return;
    if (this.next > this.table.length) this.table.grow(Math.max(this.next - this.table.length, 256));
    const module = new WebAssembly.Module(moduleOfRegions(bodies, first, this.pages));
    new WebAssembly.Instance(module, { env: this.environment });
  }
  enter(blocks, literals, place) {
    const region = { place, spans: literals.map((at) => [at, at + 4]), slots: [] };
    for (const [number, { at, next }] of blocks.entries()) {
      const slot = slotOf(at);
      this.heads[slot] = (place << BLOCK_BITS) | number;
      region.slots.push(slot);
      region.spans.push([at, next]);
    }
    this.regions.push(region);
    this.mark(region);
  }
  // Marks where a region's code is: to the byte here, in coarse grains for those that write to SRAM.
  mark({ spans }) {
    for (const [from, until] of spans) {
      if (from < SRAM_BASE) { this.below = Math.max(this.below, until); continue; }
      this.exactly.fill(1, from - SRAM_BASE, until - SRAM_BASE);
      this.memory.coded.fill(1, (from - SRAM_BASE) >> CODED_SHIFT, ((until - 1 - SRAM_BASE) >> CODED_SHIFT) + 1);
    }
  }

  // `size` bytes at `address` have been written to. True where they were code.
  changed(address, size) {
    const until = address + size;
    if (address < SRAM_BASE ? address >= this.below : !this.exactly.subarray(address - SRAM_BASE, until - SRAM_BASE).includes(1)) {
      return false;
    }
    const gone = this.regions.filter((region) => region.spans.some(([from, to]) => from < until && to > address));
    if (!gone.length) return false;
    for (const { slots } of gone) this.rewritten.set(slots[0], (this.rewritten.get(slots[0]) ?? 0) + 1);
    this.drop(gone, 0);
    return true;
  }
  drop(gone, head) {
    for (const { place, slots } of gone) {
      const given = this.rewritten.get(slots[0]) >= MOST_REWRITTEN ? NEVER : head;
      for (const slot of slots) this.heads[slot] = given;
      this.table.set(place, null);
    }
    this.regions = this.regions.filter((region) => !gone.includes(region));
    this.memory.coded.fill(0);
    this.exactly.fill(0);
    for (const region of this.regions) this.mark(region);
  }
}

// Where the memory has what is at an address of `inside`.
function placeOf(at) {
  if (at < BOOTROM_SIZE) return BOOTROM_AT + at;
  return at < SRAM_BASE ? FLASH_AT + at - FLASH_BASE : SRAM_AT + at - SRAM_BASE;
}
