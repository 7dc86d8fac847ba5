// ADXL345 accelerometer: registers, 32-entry FIFO and INT1, on SPI or I2C. Section and table numbers: datasheet rev. G.
// The signal (noise, range and full-resolution counts) comes from the plant's side; this is the digital half.

import { SampledSensor } from './sampled.mjs';

const DEVID = 0x00, OFSX = 0x1e, BW_RATE = 0x2c, POWER_CTL = 0x2d, INT_ENABLE = 0x2e, INT_MAP = 0x2f, INT_SOURCE = 0x30,
  DATA_FORMAT = 0x31, DATAX0 = 0x32, DATAZ1 = 0x37, FIFO_CTL = 0x38, FIFO_STATUS = 0x39, THRESH_TAP = 0x1d;
const MEASURE = 8, FULL_RES = 8, INT_INVERT = 0x20, SELF_TEST = 0x80;
const DATA_READY = 0x80, WATERMARK = 2, OVERRUN = 1;
const IDENTITY = 0xe5;
const FIFO_DEPTH = 32;
const RATE_3200 = 15, RATE_1600 = 14;
const SPI_MAX_HZ = 5.0e6;            // table 9
const FIFO_READ_GAP_NS = 5_000;      // "Retrieval of FIFO data": 5 us from the end of one read to the next
const SELF_TEST_COUNTS = [244, -244, 331];   // "Self-Test": typical at 2.5 V, times 1.77 (x, y) and 1.47 (z) at 3.3 V

export class Adxl345 extends SampledSensor {
  constructor(options, index) {
    super(options, index);
    this.registers = new Uint8Array(64);
    this.address = -1;
    this.dataEnd = -Infinity;
    this.reading = false;
    this.pointer = 0;
    this.reset();
  }
  get identity() { return IDENTITY; }
  reset() {
    this.registers.fill(0);
    this.registers[BW_RATE] = 0x0a;
    this.fifo = [];
    this.last = [0, 0, 0];
    this.given = null;
    this.skipped = 0;
    if (this.chip) this.update();
  }

  take(x, y, z) {
    const r = this.registers, rate = r[BW_RATE] & 15;
    if (!(r[POWER_CTL] & MEASURE)) return;
    if (rate < RATE_3200 && ++this.skipped < 1 << (RATE_3200 - rate)) return;
    this.skipped = 0;
    const mode = r[FIFO_CTL] >> 6, room = mode ? FIFO_DEPTH : 1;
    if (this.fifo.length >= room) {
      this.counts.overruns++;
      if (mode === 1) { this.update(); return; }
      this.fifo.shift();
    }
    if (!this.faults.stuck || !this.given) this.given = this.format([x, y, z]);
    this.fifo.push(this.given);
    this.counts.samples++;
    this.update();
  }
  format(raw) {
    const r = this.registers, range = r[DATA_FORMAT] & 3, fast = (r[BW_RATE] & 15) >= RATE_1600;
    const limit = 512 << range;
    return Array.from(raw, (v, axis) => {
      v += ((r[OFSX + axis] << 24) >> 24) << 2;                    // offset registers: 15.6 mg a bit
      if (r[DATA_FORMAT] & SELF_TEST) v += SELF_TEST_COUNTS[axis];
      v = Math.max(-limit, Math.min(limit - 1, v));
      if (!(r[DATA_FORMAT] & FULL_RES)) v >>= range;
      return fast ? v & ~1 : v;                                    // "Data Formatting at 3200 and 1600 Hz"
    });
  }
  update() {
    const r = this.registers, n = this.fifo.length, watermark = r[FIFO_CTL] & 31;
    r[INT_SOURCE] = (n ? DATA_READY : 0) | (n && n >= watermark ? WATERMARK : 0) | (n >= FIFO_DEPTH ? OVERRUN : 0);
    this.driveInterrupt();
  }
  interruptLevel() {
    const r = this.registers, active = (r[INT_SOURCE] & r[INT_ENABLE] & ~r[INT_MAP]) !== 0;
    return active !== !!(r[DATA_FORMAT] & INT_INVERT) ? 1 : 0;
  }

  readRegister(address) {
    if (address === DEVID) return this.identityNow;
    if (address === DATAX0) {
      if (this.chip.now - this.dataEnd < FIFO_READ_GAP_NS) this.counts.early_reads++;   // not yet moved on: the same again
      else this.last = this.fifo.shift() ?? this.last;
      this.last.forEach((v, i) => { this.registers[DATAX0 + 2 * i] = v & 255; this.registers[DATAX0 + 2 * i + 1] = (v >> 8) & 255; });
      this.update();
    }
    if (address === DATAZ1) this.dataEnd = this.chip.now;
    if (address === FIFO_STATUS) return this.fifo.length & 63;
    return this.registers[address & 63];
  }
  writeRegister(address, value) {
    if (address < THRESH_TAP || address >= 64 || address === FIFO_STATUS || address === INT_SOURCE) return;
    this.registers[address] = value;
    if (address === FIFO_CTL && value >> 6 === 0) this.fifo = [];
    this.update();
  }

  selected() { this.address = -1; }
  deselected() {}
  spi(byte, bus) {
    if (bus.mode !== 3 || bus.hz > SPI_MAX_HZ) { this.counts.spi_faults++; return 0xff; }
    if (this.address < 0) {
      this.reading = (byte & 0x80) !== 0;
      this.multiple = (byte & 0x40) !== 0;
      this.address = byte & 63;
      return 0xff;
    }
    let answer = 0xff;
    if (this.reading) answer = this.readRegister(this.address); else this.writeRegister(this.address, byte);
    if (this.multiple) this.address = (this.address + 1) & 63;
    return answer;
  }

  started(read) { if (!read) this.pointerNext = true; }
  written(byte) {
    if (this.pointerNext) { this.pointer = byte & 63; this.pointerNext = false; return true; }
    this.writeRegister(this.pointer, byte);
    this.pointer = (this.pointer + 1) & 63;
    return true;
  }
  read() {
    const value = this.readRegister(this.pointer);
    this.pointer = (this.pointer + 1) & 63;
    return value;
  }
}
