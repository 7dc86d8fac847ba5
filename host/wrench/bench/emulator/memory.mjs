// The memories of one chip, in one WebAssembly memory that outlives its resets, and shorter ways to them for rp2040js's
// own core. Beside the chip's own memories lies what translated code shares with the rest: registers, cells, tables.

const BOOTROM = 0x00, FLASH = 0x10, SRAM = 0x20;
const SRAM_BASE = 0x20000000, SRAM_END = 0x20042000;

// Sizes, and where each begins in the buffer.
export const BOOTROM_SIZE = 0x4000, BOOTROM_AT = 0;
export const SRAM_SIZE = 0x42000, SRAM_AT = 0x100000;
export const FLASH_SIZE = 0x1000000, FLASH_AT = 0x1000000;      // rp2040js expects flash to fill its window

export const REGISTERS_AT = 0x8000;                             // r0 to r15
export const CELLS_AT = 0x8040, CELLS = 16;                     // words; `translated_core.mjs` says which is which
export const TAGS_AT = 0x9000, OLDER_AT = 0xb000, LOOKS_AT = 0xb400, SETS = 1024;   // the XIP cache's
export const CODED_AT = 0x10000, CODED_SHIFT = 5;               // a byte for 32 of SRAM: translated code comes from there
export const EXITS_AT = 0x20000, MOST_EXITS = 0x1c000;          // see `translator.mjs`; two words each
// A word for each halfword that an instruction may begin at: see `translations.mjs`. Three windows of the address space,
// from 0, from 0x10000000 and from 0x20000000.
export const HEADS_AT = 0x400000, HEADS_WINDOW = 0x200000;

const PAGE = 0x10000;

export class Memory {
  constructor() {
    const pages = (FLASH_AT + FLASH_SIZE) / PAGE;
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { buffer } = this.wasm, views = (at, size) =>
      [new Uint8Array(buffer, at, size), new Uint16Array(buffer, at, size / 2), new Int32Array(buffer, at, size / 4)];
    this.buffer = buffer;
    this.all16 = new Uint16Array(buffer);
    [this.bootrom8, this.bootrom16, this.bootrom32] = views(BOOTROM_AT, BOOTROM_SIZE);
    [this.sram8, this.sram16, this.sram32] = views(SRAM_AT, SRAM_SIZE);
    [this.flash8, this.flash16, this.flash32] = views(FLASH_AT, FLASH_SIZE);
    this.flash8.fill(0xff);
    this.registers = new Uint32Array(buffer, REGISTERS_AT, 16);
    this.registers32 = new Int32Array(buffer, REGISTERS_AT, 16);
    this.cells = new Int32Array(buffer, CELLS_AT, CELLS);
    this.tags = new Int32Array(buffer, TAGS_AT, 2 * SETS);
    this.older = new Uint8Array(buffer, OLDER_AT, SETS);
    this.looks = new Float64Array(buffer, LOOKS_AT, 2);
    this.coded = new Uint8Array(buffer, CODED_AT, SRAM_SIZE >> CODED_SHIFT);
    this.exits = new Int32Array(buffer, EXITS_AT, 2 * MOST_EXITS);
    this.heads = new Int32Array(buffer, HEADS_AT, 3 * HEADS_WINDOW / 2);
    this.onChange = null;           // (address, size): what may be code has been written to, or null
  }

  // Whoever has written to SRAM that is marked as coded, to flash or to the boot ROM says so.
  changed(address, size) { this.onChange?.(address, size); }

  // Becomes the memory of a chip that has just been made. SRAM and registers lose what they held.
  attach(rp2040) {
    const { buffer } = this;
    rp2040.bootrom = new Uint32Array(buffer, BOOTROM_AT, BOOTROM_SIZE / 4);
    this.sram8.fill(0);
    this.changed(SRAM_BASE, SRAM_SIZE);
    rp2040.sram = this.sram8;
    rp2040.sramView = new DataView(buffer, SRAM_AT, SRAM_SIZE);
    rp2040.flash = this.flash8;
    rp2040.flash16 = this.flash16;
    rp2040.flashView = new DataView(buffer, FLASH_AT, FLASH_SIZE);
    this.registers.set(rp2040.core.registers);
    rp2040.core.registers = this.registers;
  }
}

// rp2040js asks for every access which peripheral it might be. Measured: its own core runs 1.4 times as fast so.
export function shortcutMemory(rp2040, memory) {
  const { core } = rp2040, { buffer, coded, flash8, flash16, sram8, sram16 } = memory;
  const flash32 = new Uint32Array(buffer, FLASH_AT, FLASH_SIZE / 4), sram32 = new Uint32Array(buffer, SRAM_AT, SRAM_SIZE / 4);
  core.readUint16 = (address) => {
    const region = address >>> 24;
    if (region === FLASH) return flash16[(address & 0xffffff) >>> 1];
    if (region === SRAM && (address >>> 0) < SRAM_END) return sram16[(address & 0xffffff) >>> 1];
    return rp2040.readUint16(address >>> 0);
  };
  core.readUint32 = (address) => {
    const region = address >>> 24;
    if (region === SRAM && (address >>> 0) < SRAM_END && !(address & 3)) return sram32[(address & 0xffffff) >>> 2];
    if (region === FLASH && !(address & 3)) return flash32[(address & 0xffffff) >>> 2];
    return rp2040.readUint32(address);
  };
  core.readUint8 = (address) => {
    const region = address >>> 24;
    if (region === SRAM && (address >>> 0) < SRAM_END) return sram8[address & 0xffffff];
    if (region === FLASH) return flash8[address & 0xffffff];
    return rp2040.readUint8(address >>> 0);
  };
  core.writeUint32 = (address, value) => {
    if (address >>> 24 === SRAM && (address >>> 0) < SRAM_END && !(address & 3)) {
      sram32[(address & 0xffffff) >>> 2] = value;
      if (coded[(address & 0xffffff) >>> CODED_SHIFT]) memory.changed(address, 4);
    } else {
      rp2040.writeUint32(address, value);
    }
  };
  core.writeUint16 = (address, value) => {
    if (address >>> 24 === SRAM && (address >>> 0) < SRAM_END) {
      sram16[(address & 0xffffff) >>> 1] = value;
      if (coded[(address & 0xffffff) >>> CODED_SHIFT]) memory.changed(address & ~1, 2);
    } else {
      rp2040.writeUint16(address, value);
    }
  };
  core.writeUint8 = (address, value) => {
    if (address >>> 24 === SRAM && (address >>> 0) < SRAM_END) {
      sram8[address & 0xffffff] = value;
      if (coded[(address & 0xffffff) >>> CODED_SHIFT]) memory.changed(address, 1);
    } else {
      rp2040.writeUint8(address, value);
    }
  };
  // What the DMA writes, and what is not as simple as the above.
  for (const [name, size] of [['writeUint8', 1], ['writeUint16', 2], ['writeUint32', 4]]) {
    const write = rp2040[name].bind(rp2040);
    rp2040[name] = (address, value) => {
      write(address, value);
      const region = address >>> 24;
      if (region === BOOTROM || region === FLASH || region === SRAM) memory.changed(address, size);
    };
  }
}
