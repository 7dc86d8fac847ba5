// The board's serial NOR flash behind the RP2040's SSI, and the IO_QSPI block that overrides its chip select.
// rp2040js has no writable flash: this is a W25Q16JV as the boot ROM's flash routines see it.
// Times: W25Q16JV datasheet rev. M, section 9.6 (AC characteristics): sector erase 45 ms typical, page program 0.4 ms.
// A power cut within them leaves some of the bits as they were: see `powerLost`.

import { BasePeripheral } from 'rp2040js';

const SECTOR = 4096;
const SSI_TXFLR = 0x20, SSI_RXFLR = 0x24, SSI_SR = 0x28, SSI_IDR = 0x58, SSI_VERSION = 0x5c, SSI_DR0 = 0x60;
const SR_TFNF_TFE = 0x06, SR_RFNE = 0x08;
const CS_BY_SSI = 0, CS_LOW = 2, CS_HIGH = 3;
const STATUS_BUSY = 1, STATUS_WEL = 2, STATUS2_QE = 2;
const POLL_NS = 2_000;                 // an SSI status poll from RAM takes about this long on silicon

const CLEARED_FIRST = 0.2;             // of an erase: all cells are programmed to 0, then erased to 1

export const FLASH_SIZE = 2 << 20;

// How far into its pulse the cell behind this bit follows, 0 to 1: a property of the cell, as in the part.
export function cellDelay(seed, address, bit) {
  let t = Math.imul(seed ^ Math.imul(address * 8 + bit + 1, 0x9e3779b1), 0x85ebca6b);
  t = Math.imul(t ^ (t >>> 13), 0xc2b2ae35);
  t = Math.imul(t ^ (t >>> 16), 0x27d4eb2f);
  return ((t ^ (t >>> 15)) >>> 0) / 2 ** 32;
}

export class IoQspi extends BasePeripheral {
  constructor(rp2040, ssi) {
    super(rp2040, 'IO_QSPI');
    this.ssi = ssi;
    this.control = new Uint32Array(6).fill(0x1f);
    this.other = new Map();
  }
  readUint32(offset) {
    if (offset < 0x30) return offset & 4 ? this.control[offset >> 3] : 0;
    return this.other.get(offset) ?? 0;
  }
  writeUint32(offset, value) {
    if (offset >= 0x30) { this.other.set(offset, value); return; }
    if (!(offset & 4)) return;
    this.control[offset >> 3] = value;
    if (offset >> 3 === 1) this.ssi.overrideChipSelect((value >> 8) & 3);
  }
}

export class SsiFlash extends BasePeripheral {
  // `timing`: {sector_erase_ns, block_erase_ns, page_program_ns}; the chip is busy that long after each command.
  // `timing.cell_seed` tells which cells are slow.
  constructor(rp2040, timing) {
    super(rp2040, 'SSI');
    this.timing = timing;
    this.registers = new Map();
    this.select = CS_BY_SSI;
    this.command = [];
    this.received = [];
    this.writeEnabled = false;
    this.busyUntil = 0;
    this.underway = null;
    this.counts = { sector_erases: 0, block_erases: 0, page_programs: 0 };
    this.onWrite = null;            // (what, until): it begins, and ends then (the clock's ns)
    this.onChange = null;           // (from, size): so much of the content is another
    this.dirty = false;
  }

  overrideChipSelect(select) {
    if (select === this.select) return;
    if (this.select === CS_LOW || select === CS_HIGH) this.finish();
    if (select === CS_LOW) { this.command = []; this.received = []; }
    this.select = select;
  }

  address() { const c = this.command; return ((c[1] << 16) | (c[2] << 8) | c[3]) & (FLASH_SIZE - 1); }

  // Chip select has gone high: erase and program commands take effect now.
  finish() {
    const c = this.command, flash = this.rp2040.flash;
    this.command = [];
    if (!c.length || this.busy) return;
    const at = ((c[1] << 16) | (c[2] << 8) | c[3]) & (FLASH_SIZE - 1);
    const eraseSize = { 0x20: SECTOR, 0x52: 32768, 0xd8: 65536 }[c[0]];
    if (eraseSize && c.length >= 4 && this.writeEnabled) {
      const from = at & ~(eraseSize - 1);
      this.begin(from, eraseSize, true);
      flash.fill(0xff, from, from + eraseSize);
      this.onChange?.(from, eraseSize);
      if (eraseSize === SECTOR) this.counts.sector_erases++; else this.counts.block_erases++;
      if (eraseSize === SECTOR) this.occupy('sector erase', this.timing.sector_erase_ns);
      else this.occupy('block erase', this.timing.block_erase_ns);
    } else if (c[0] === 0x02 && c.length > 4 && this.writeEnabled) {
      this.begin(at & ~255, 256, false);
      for (let i = 4; i < c.length; i++) flash[(at & ~255) | ((at + i - 4) & 255)] &= c[i];   // wraps in its page
      this.onChange?.(at & ~255, 256);
      this.counts.page_programs++;
      this.occupy('page program', this.timing.page_program_ns);
    } else if (c[0] === 0x01) {
      this.writeEnabled = false;
    }
  }

  begin(from, size, erases) {
    this.underway = { from, erases, before: this.rp2040.flash.slice(from, from + size), since: this.rp2040.clock.nanos };
  }

  // The power goes now. Content is computed as a whole when a command begins, and nothing reads it while the chip is
  // busy; here what was not reached yet is taken back, cell by cell.
  powerLost() {
    const { underway, timing } = this, { flash, clock } = this.rp2040;
    if (!underway || !this.busy) return;
    const { from, erases, before, since } = underway, seed = timing.cell_seed ?? 1;
    const reached = (clock.nanos - since) / (this.busyUntil - since);
    this.underway = null;
    for (let i = 0; i < before.length; i++) {
      const was = before[i], is = flash[from + i];
      if (was === is && !erases) continue;
      let now = 0;
      for (let bit = 0; bit < 8; bit++) {
        const delay = cellDelay(seed, from + i, bit), old = (was >> bit) & 1;
        let level = old;
        if (!erases) {
          if (reached > delay) level = (is >> bit) & 1;
        } else if (reached < CLEARED_FIRST) {
          if (reached / CLEARED_FIRST > delay) level = 0;
        } else {
          level = (reached - CLEARED_FIRST) / (1 - CLEARED_FIRST) > delay ? 1 : 0;
        }
        now |= level << bit;
      }
      flash[from + i] = now;
    }
    this.onChange?.(from, before.length);
  }

  get busy() { return this.rp2040.clock.nanos < this.busyUntil; }

  occupy(what, ns) {
    this.busyUntil = this.rp2040.clock.nanos + ns;
    this.writeEnabled = false;
    this.dirty = true;
    this.onWrite?.(what, this.busyUntil);
  }

  shift(byte) {
    const c = this.command;
    c.push(byte);
    const n = c.length - 1;
    switch (c[0]) {
      case 0x06: this.writeEnabled = true; break;
      case 0x04: this.writeEnabled = false; break;
      case 0x05: return n ? this.status() : 0xff;
      case 0x35: return n ? STATUS2_QE : 0xff;
      case 0x9f: return n ? ([0xef, 0x40, 0x15][n - 1] ?? 0) : 0xff;
      case 0x4b: return n > 4 ? this.uniqueId[n - 5] ?? 0xff : 0xff;
      case 0x03: return n > 3 ? this.rp2040.flash[(this.address() + n - 4) & (FLASH_SIZE - 1)] : 0xff;
    }
    return 0xff;
  }

  // The boot ROM polls this with interrupts off; letting each poll take its time spares millions of instructions.
  status() {
    if (this.busy) this.rp2040.clock.tick(Math.min(POLL_NS, this.busyUntil - this.rp2040.clock.nanos));
    return (this.busy ? STATUS_BUSY : 0) | (this.writeEnabled ? STATUS_WEL : 0);
  }

  readUint32(offset) {
    switch (offset) {
      case SSI_TXFLR: return 0;
      case SSI_RXFLR: return this.received.length;
      case SSI_SR:
        if (this.select === CS_BY_SSI) this.finish();
        return SR_TFNF_TFE | (this.received.length ? SR_RFNE : 0);
      case SSI_IDR: return 0x51535049;
      case SSI_VERSION: return 0x3430312a;
      case SSI_DR0: return this.received.length ? this.received.shift() : 0;
    }
    return this.registers.get(offset) ?? 0;
  }
  writeUint32(offset, value) {
    if (offset === SSI_DR0) this.received.push(this.select === CS_HIGH ? 0xff : this.shift(value & 255));
    else this.registers.set(offset, value);
  }
}
