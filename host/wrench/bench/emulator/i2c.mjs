// The RP2040's I2C controller (DW_apb_i2c) as a master, at register level. Section numbers: RP2040 datasheet.
//
// In the place of rp2040js's, which never sets TX_EMPTY after an abort, so that MicroPython reports an absent address as
// ETIMEDOUT instead of EIO, goes on with commands that an abort has flushed, and has no DREQ.
//
// Commands leave the TX FIFO at the pace of the bus: a START, RESTART or STOP takes one bit time, a byte nine. Not
// modelled: the slave mode, 10-bit addresses, other masters.

import { BasePeripheral } from 'rp2040js';
import { Fifo } from './fifo.mjs';
import { CUT, READING } from './trace.mjs';

const CON = 0x00, TAR = 0x04, SAR = 0x08, DATA_CMD = 0x10, SS_HCNT = 0x14, SS_LCNT = 0x18, FS_HCNT = 0x1c, FS_LCNT = 0x20,
  INTR_STAT = 0x2c, INTR_MASK = 0x30, RAW_INTR_STAT = 0x34, RX_TL = 0x38, TX_TL = 0x3c, CLR_INTR = 0x40,
  ENABLE = 0x6c, STATUS = 0x70, TXFLR = 0x74, RXFLR = 0x78, SDA_HOLD = 0x7c, TX_ABRT_SOURCE = 0x80, DMA_CR = 0x88,
  DMA_TDLR = 0x8c, DMA_RDLR = 0x90, SDA_SETUP = 0x94, ENABLE_STATUS = 0x9c, FS_SPKLEN = 0xa0, COMP_PARAM_1 = 0xf4,
  COMP_VERSION = 0xf8, COMP_TYPE = 0xfc;
const RESET_VALUES = new Map([[CON, 0x65], [TAR, 0x55], [SAR, 0x55], [SS_HCNT, 0x28], [SS_LCNT, 0x2f], [FS_HCNT, 6],
  [FS_LCNT, 0x0d], [INTR_MASK, 0x8ff], [RX_TL, 0], [TX_TL, 0], [SDA_HOLD, 1], [DMA_CR, 0], [DMA_TDLR, 0], [DMA_RDLR, 0],
  [SDA_SETUP, 0x64], [FS_SPKLEN, 7], [0x84, 0], [0x98, 1]]);
const ALWAYS_WRITABLE = [INTR_MASK, RX_TL, TX_TL, DMA_CR, DMA_TDLR, DMA_RDLR];   // the rest only while disabled

const CON_SPEED = 6, SPEED_STANDARD = 2, CON_RESTART_EN = 1 << 5, CON_TX_EMPTY_CTRL = 1 << 8, CON_RX_HOLD = 1 << 9;
const CMD_READ = 1 << 8, CMD_STOP = 1 << 9, CMD_RESTART = 1 << 10;
const FIRST_DATA_BYTE = 1 << 11;
const EN_ENABLE = 1, EN_ABORT = 2, EN_TX_CMD_BLOCK = 4;
const RX_UNDER = 1, RX_OVER = 2, RX_FULL = 4, TX_OVER = 8, TX_EMPTY = 16, TX_ABRT = 64, ACTIVITY = 256, STOP_DET = 512,
  START_DET = 1024;
const CLEARED_BY = { 0x44: RX_UNDER, 0x48: RX_OVER, 0x4c: TX_OVER, 0x50: 0x20, 0x54: TX_ABRT, 0x58: 0x80, 0x5c: ACTIVITY,
  0x60: STOP_DET, 0x64: START_DET, 0x68: 0x800, 0xa8: 0x1000 };
const SOFTWARE_CLEARED = RX_UNDER | RX_OVER | TX_OVER | TX_ABRT | ACTIVITY | STOP_DET | START_DET;
const ABRT_7B_ADDR_NOACK = 1, ABRT_TXDATA_NOACK = 8, ABRT_USER = 1 << 16, FLUSH_COUNT_SHIFT = 23;
const DEPTH = 16;                       // section 4.3.1: both FIFOs
const BYTE_BITS = 9;

const IDLE = 0, HELD = 1, BUSY = 2;     // HELD: between commands of one transfer, SCL low

export class DwI2c extends BasePeripheral {
  // dreq: the DMA request numbers {tx, rx}.
  constructor(rp2040, name, { irq, dreq }) {
    super(rp2040, name);
    this.irq = irq;
    this.dreq = dreq;
    this.devices = new Map();           // address: {started(read) -> acknowledged, written(byte) -> acknowledged, read(), stopped()}
    this.alarm = rp2040.clock.createAlarm(() => { const then = this.then; this.then = null; then(); });
    this.traced = null;                 // the trace's transfer of this bus, where there is one
    this.then = null;
    this.txFifo = new Fifo(DEPTH);
    this.rxFifo = new Fifo(DEPTH);
    this.resetBlock();
  }
  resetBlock() {
    this.registers = new Map(RESET_VALUES);
    this.txFifo.clear();
    this.rxFifo.clear();
    this.enable = 0;
    this.raw = 0;
    this.abortSource = 0;
    this.flushed = false;               // after an abort, until IC_CLR_TX_ABRT is read
    this.state = IDLE;
    this.traced?.end(CUT);
    this.shifting = false;              // a popped command's byte is on the bus
    this.reading = false;
    this.firstByte = false;
    this.target = null;
    this.alarm.cancel();
    this.then = null;
    this.update();
  }

  // Section 4.3.14: high for HCNT + SPKLEN + 7 cycles of clk_sys, low for LCNT + 1.
  get bitNs() {
    const slow = (this.registers.get(CON) & CON_SPEED) === SPEED_STANDARD;
    const high = this.registers.get(slow ? SS_HCNT : FS_HCNT), low = this.registers.get(slow ? SS_LCNT : FS_LCNT);
    return (high + this.registers.get(FS_SPKLEN) + 7 + low + 1) * 1e9 / this.rp2040.clkSys;
  }
  after(bits, then) {
    this.then = then;
    this.alarm.schedule(bits * this.bitNs);
  }

  // ---- the bus ---------------------------------------------------------------------------------------------------
  get mayGo() {
    return this.state !== BUSY && (this.enable & (EN_ENABLE | EN_TX_CMD_BLOCK)) === EN_ENABLE && !this.txFifo.empty &&
      !this.flushed;
  }
  go() {
    if (!this.mayGo) return;
    const command = this.txFifo.peek(), read = (command & CMD_READ) !== 0;
    if (read && this.rxFifo.full && this.registers.get(CON) & CON_RX_HOLD) return;
    const fresh = this.state === IDLE;
    this.state = BUSY;
    if (fresh) { this.after(1, () => this.address(read)); return; }
    if (command & CMD_RESTART || read !== this.reading) {
      if (this.registers.get(CON) & CON_RESTART_EN) this.after(1, () => this.address(read));
      else this.after(2, () => { this.target?.stopped?.(); this.address(read); });      // STOP, START
      return;
    }
    this.transfer();
  }
  address(read) {
    this.raw |= START_DET | ACTIVITY;
    this.reading = read;
    this.traced?.begin(this.registers.get(TAR) & 0x7f, read ? READING : 0);
    this.firstByte = true;
    this.update();
    this.after(BYTE_BITS, () => {
      const target = this.devices.get(this.registers.get(TAR) & 0x7f);
      this.target = target && target.started(read) !== false ? target : null;
      if (!this.target) this.refused(ABRT_7B_ADDR_NOACK);
      else if (this.enable & EN_ABORT || !(this.enable & EN_ENABLE) || this.txFifo.empty) this.stop();
      else this.transfer();
    });
  }
  transfer() {
    const command = this.txFifo.pull();
    this.shifting = true;
    this.update();
    this.after(BYTE_BITS, () => {
      this.shifting = false;
      if (command & CMD_READ) {
        this.receive(this.target.read());
      } else {
        this.traced?.write(command & 0xff);
        if (!this.target.written(command & 0xff)) { this.refused(ABRT_TXDATA_NOACK); return; }
      }
      this.firstByte = false;
      if (command & CMD_STOP || this.enable & EN_ABORT) { this.stop(); return; }
      this.state = HELD;
      this.update();
      this.go();
    });
  }
  receive(byte) {
    this.traced?.read(byte);
    if (this.flushed || !(this.enable & EN_ENABLE)) return;
    if (this.rxFifo.full) this.raw |= RX_OVER;
    else this.rxFifo.push(byte | (this.firstByte ? FIRST_DATA_BYTE : 0));
  }
  stop() {
    this.update();
    this.after(1, () => {
      this.state = IDLE;
      this.target?.stopped?.();
      this.target = null;
      this.traced?.end();
      this.raw |= STOP_DET;
      if (this.enable & EN_ABORT) {
        this.enable &= ~EN_ABORT;
        this.flush(ABRT_USER);
      }
      this.update();
      this.go();
    });
  }
  refused(source) {
    this.traced?.refused();
    this.abort(source);
  }
  // IC_RAW_INTR_STAT.TX_ABRT: an abort empties both FIFOs and holds them empty; the transfer ends with a STOP.
  abort(source) {
    this.flush(source);
    this.stop();
  }
  flush(source) {
    this.abortSource = (source | (this.txFifo.length << FLUSH_COUNT_SHIFT)) >>> 0;
    this.txFifo.clear();
    this.rxFifo.clear();
    this.flushed = true;
    this.raw |= TX_ABRT;
  }
  unflush() {
    this.flushed = false;
    this.abortSource = 0;
  }

  // ---- flags -----------------------------------------------------------------------------------------------------
  get rawInterrupts() {
    let raw = this.raw;
    const low = this.txFifo.length <= this.registers.get(TX_TL), enabled = this.enable & EN_ENABLE;
    const done = !(this.registers.get(CON) & CON_TX_EMPTY_CTRL) || !this.shifting;
    if (low && done && (enabled || this.state !== IDLE)) raw |= TX_EMPTY;
    if (this.rxFifo.length > this.registers.get(RX_TL)) raw |= RX_FULL;
    return raw;
  }
  update() {
    const { dma } = this.rp2040, control = this.registers.get(DMA_CR), enabled = this.enable & EN_ENABLE;
    this.rp2040.setInterrupt(this.irq, (this.rawInterrupts & this.registers.get(INTR_MASK)) !== 0);
    if (!dma) return;
    if (control & 2 && enabled && !this.flushed && this.txFifo.length <= this.registers.get(DMA_TDLR)) dma.setDREQ(this.dreq.tx);
    else dma.clearDREQ(this.dreq.tx);
    if (control & 1 && this.rxFifo.length > this.registers.get(DMA_RDLR)) dma.setDREQ(this.dreq.rx);
    else dma.clearDREQ(this.dreq.rx);
  }

  // ---- registers -------------------------------------------------------------------------------------------------
  readUint32(offset) {
    offset &= 0xfff;
    switch (offset) {
      case DATA_CMD: return this.readData();
      case INTR_STAT: return this.rawInterrupts & this.registers.get(INTR_MASK);
      case RAW_INTR_STAT: return this.rawInterrupts;
      case CLR_INTR: this.raw &= ~SOFTWARE_CLEARED; this.unflush(); this.update(); return 0;
      case ENABLE: return this.enable;
      case ENABLE_STATUS: return this.enable & EN_ENABLE || this.state !== IDLE ? 1 : 0;
      case STATUS: {
        const { txFifo, rxFifo } = this, active = this.state !== IDLE;
        return (active ? 0x21 : 0) | (txFifo.full ? 0 : 2) | (txFifo.empty ? 4 : 0) | (rxFifo.empty ? 0 : 8) | (rxFifo.full ? 16 : 0);
      }
      case TXFLR: return this.txFifo.length;
      case RXFLR: return this.rxFifo.length;
      case TX_ABRT_SOURCE: return this.abortSource;
      case COMP_PARAM_1: return 0;
      case COMP_VERSION: return 0x3230312a;
      case COMP_TYPE: return 0x44570140;
    }
    if (offset in CLEARED_BY) {
      this.raw &= ~CLEARED_BY[offset];
      if (CLEARED_BY[offset] === TX_ABRT) this.unflush();
      this.update();
      return 0;
    }
    return this.registers.get(offset) ?? super.readUint32(offset);
  }
  readData() {
    if (this.rxFifo.empty) { this.raw |= RX_UNDER; this.update(); return 0; }
    const data = this.rxFifo.pull();
    this.update();
    this.go();                          // the bus may have been held for room
    return data;
  }
  writeUint32(offset, value) {
    if (offset === DATA_CMD) {
      if (!(this.enable & EN_ENABLE) || this.flushed) return;
      if (this.txFifo.full) this.raw |= TX_OVER; else this.txFifo.push(value & 0x7ff);
      this.update();
      this.go();
    } else if (offset === ENABLE) {
      this.setEnable(value & 7);
    } else if (this.registers.has(offset)) {
      if (this.enable & EN_ENABLE && !ALWAYS_WRITABLE.includes(offset) && offset !== TAR) return;
      this.registers.set(offset, value >>> 0);
      this.update();
    } else {
      super.writeUint32(offset, value);
    }
  }
  setEnable(value) {
    const abort = (value | this.enable) & EN_ABORT && this.state !== IDLE ? EN_ABORT : 0;     // only hardware clears it
    this.enable = (value & ~EN_ABORT) | abort;
    if (!(value & EN_ENABLE)) {
      this.txFifo.clear();
      this.rxFifo.clear();
      this.raw &= ~(ACTIVITY | RX_UNDER | RX_OVER | TX_OVER);
      this.abortSource &= (1 << FLUSH_COUNT_SHIFT) - 1;
    }
    if (abort && this.state === HELD) { this.state = BUSY; this.stop(); }
    this.update();
    this.go();
  }
}
