// The RP2040's DMA: twelve channels, datasheet section 2.5.
//
// In the place of rp2040js's, which makes an event of the clock of every transfer, has the pacing timers upside down,
// and leaves a channel busy for ever that is triggered with nothing to transfer. A transfer without pacing takes one
// cycle; one paced by a peripheral happens when the peripheral asks. Not modelled: bus errors, the sniffer's sums.

import { BasePeripheral } from 'rp2040js';

const READ_ADDR = 0, WRITE_ADDR = 1, TRANS_COUNT = 2, CTRL = 3;
// Which register each of the sixteen words of a channel is; the last of every four starts the channel (section 2.5.2.1).
const WORDS = [READ_ADDR, WRITE_ADDR, TRANS_COUNT, CTRL, CTRL, READ_ADDR, WRITE_ADDR, TRANS_COUNT,
  CTRL, TRANS_COUNT, READ_ADDR, WRITE_ADDR, CTRL, WRITE_ADDR, TRANS_COUNT, READ_ADDR];
const CHANNELS = 12, CHANNEL_BYTES = 0x40, CHANNELS_END = CHANNELS * CHANNEL_BYTES;
const INTR = 0x400, INTE0 = 0x404, INTF0 = 0x408, INTS0 = 0x40c, INTE1 = 0x414, INTF1 = 0x418, INTS1 = 0x41c, TIMER0 = 0x420,
  TIMER3 = 0x42c, MULTI_CHAN_TRIGGER = 0x430, SNIFF_CTRL = 0x434, SNIFF_DATA = 0x438, FIFO_LEVELS = 0x440, CHAN_ABORT = 0x444,
  N_CHANNELS = 0x448, DEBUG = 0x800;
const EN = 1, INCR_READ = 1 << 4, INCR_WRITE = 1 << 5, RING_WRITE = 1 << 10, IRQ_QUIET = 1 << 21, BSWAP = 1 << 22, BUSY = 1 << 24;
const CTRL_WRITABLE = 0xffffff;
const TIMER_TREQ = 0x3b, PERMANENT = 0x3f;
const DMA_IRQ_0 = 11;
export const DREQ_SPI = 16, DREQ_I2C = 32, DREQ_ADC = 36;
const DREQS = 64;

class Channel {
  constructor(dma, index) {
    this.dma = dma;
    this.rp2040 = dma.rp2040;
    this.index = index;
    this.alarm = this.rp2040.clock.createAlarm(() => this.timeUp());
    this.clear();
  }
  clear() {
    this.readAddress = 0;
    this.writeAddress = 0;
    this.count = 0;
    this.reload = 0;
    this.control = this.index << 11;
    this.moving = false;
    this.decode();
    this.alarm.cancel();
  }
  decode() {
    const { control } = this, ring = (control >>> 6) & 15;
    this.treq = (control >>> 15) & 63;
    this.chainTo = (control >>> 11) & 15;
    this.size = 1 << Math.min((control >>> 2) & 3, 2);
    this.ringMask = ring ? (1 << ring) - 1 : 0;
  }
  get active() { return (this.control & (EN | BUSY)) === (EN | BUSY); }

  read(register) {
    switch (register) {
      case READ_ADDR: return this.readAddress;
      case WRITE_ADDR: return this.writeAddress;
      case TRANS_COUNT: return this.count;
    }
    return this.control;
  }
  write(word, value) {
    switch (WORDS[word]) {
      case READ_ADDR: this.readAddress = value >>> 0; break;
      case WRITE_ADDR: this.writeAddress = value >>> 0; break;
      case TRANS_COUNT: this.reload = value >>> 0; break;
      default:
        this.control = (this.control & ~CTRL_WRITABLE) | (value & CTRL_WRITABLE);
        this.decode();
    }
    if ((word & 3) === 3) {
      if (value) this.start(); else this.nullTrigger();
    }
    if (WORDS[word] === CTRL) this.go();                        // EN may have paused it or let it go on
  }
  nullTrigger() {
    if (this.control & IRQ_QUIET) this.dma.raise(this.index);
  }
  start() {
    if (!(this.control & EN) || this.control & BUSY) return;
    this.control |= BUSY;
    this.count = this.reload;
    if (this.count) this.go(); else this.finish();
  }
  go() {
    if (!this.active) { this.alarm.cancel(); return; }
    const { treq } = this, { clock } = this.rp2040;
    if (treq === PERMANENT) {
      if (!this.moving) this.alarm.schedule(this.count * clock.period);
    } else if (treq >= TIMER_TREQ) {
      const pace = this.dma.timerCycles(treq - TIMER_TREQ);
      if (pace) this.alarm.schedule(pace * clock.period);
    } else {
      this.serve();
    }
  }
  timeUp() {
    if (this.treq !== PERMANENT) {
      this.transfer();
      if (this.active) this.go();
      return;
    }
    this.moving = true;
    while (this.active && this.treq === PERMANENT) this.transfer();
    this.moving = false;
  }
  // As many transfers as the peripheral asks for now.
  serve() {
    if (this.moving) return;
    this.moving = true;
    const { dreq } = this.dma;
    while (this.active && dreq[this.treq]) this.transfer();
    this.moving = false;
  }
  transfer() {
    const { rp2040, control, size, ringMask } = this;
    if (size === 2) {
      const x = rp2040.readUint16(this.readAddress);
      rp2040.writeUint16(this.writeAddress, control & BSWAP ? ((x & 255) << 8) | (x >>> 8) : x);
    } else if (size === 4) {
      const x = rp2040.readUint32(this.readAddress);
      rp2040.writeUint32(this.writeAddress, control & BSWAP ? swap32(x) : x >>> 0);
    } else {
      rp2040.writeUint8(this.writeAddress, rp2040.readUint8(this.readAddress));
    }
    if (control & INCR_READ) this.readAddress = next(this.readAddress, size, control & RING_WRITE ? 0 : ringMask);
    if (control & INCR_WRITE) this.writeAddress = next(this.writeAddress, size, control & RING_WRITE ? ringMask : 0);
    if (--this.count === 0) this.finish();
  }
  finish() {
    this.control &= ~BUSY;
    if (!(this.control & IRQ_QUIET)) this.dma.raise(this.index);
    if (this.chainTo !== this.index) this.dma.channels[this.chainTo]?.start();
  }
  abort() {
    this.control &= ~BUSY;
    this.alarm.cancel();
  }
}

function next(address, size, ringMask) {
  return ringMask ? ((address & ~ringMask) | ((address + size) & ringMask)) >>> 0 : (address + size) >>> 0;
}
function swap32(x) { return ((x << 24) | ((x & 0xff00) << 8) | ((x >>> 8) & 0xff00) | (x >>> 24)) >>> 0; }

export class Dma extends BasePeripheral {
  constructor(rp2040) {
    super(rp2040, 'DMA');
    this.dreq = new Uint8Array(DREQS);
    this.channels = Array.from({ length: CHANNELS }, (_, i) => new Channel(this, i));
    this.resetBlock();
  }
  // What the peripherals ask for is theirs and stays.
  resetBlock() {
    for (const channel of this.channels) channel.clear();
    this.raised = 0;
    this.enabled = [0, 0];
    this.forced = [0, 0];
    this.timers = [0, 0, 0, 0];
    this.sniffer = [0, 0];
    this.update();
  }

  setDREQ(number) {
    this.dreq[number] = 1;
    for (let i = 0; i < CHANNELS && this.dreq[number]; i++) {
      const channel = this.channels[i];
      if (channel.treq === number && channel.active) channel.serve();
    }
  }
  clearDREQ(number) { this.dreq[number] = 0; }

  // Section 2.5.5.1, pacing timers: X / Y requests per cycle of clk_sys.
  timerCycles(index) {
    const x = this.timers[index] >>> 16, y = this.timers[index] & 0xffff;
    return x ? y / x : 0;
  }
  raise(index) { this.raised |= 1 << index; this.update(); }
  status(line) { return (this.raised & this.enabled[line]) | this.forced[line]; }
  update() {
    this.rp2040.setInterrupt(DMA_IRQ_0, this.status(0) !== 0);
    this.rp2040.setInterrupt(DMA_IRQ_0 + 1, this.status(1) !== 0);
  }

  readUint32(offset) {
    offset &= 0xfff;
    if (offset < CHANNELS_END) return this.channels[offset >>> 6].read(WORDS[(offset >>> 2) & 15]) >>> 0;
    if (offset >= TIMER0 && offset <= TIMER3) return this.timers[(offset - TIMER0) >>> 2];
    if (offset >= DEBUG) {
      const channel = this.channels[(offset - DEBUG) >>> 6];
      return channel && (offset & 0x3f) === 4 ? channel.reload : 0;
    }
    switch (offset) {
      case INTR: return this.raised;
      case INTE0: return this.enabled[0];
      case INTF0: return this.forced[0];
      case INTS0: return this.status(0);
      case INTE1: return this.enabled[1];
      case INTF1: return this.forced[1];
      case INTS1: return this.status(1);
      case SNIFF_CTRL: return this.sniffer[0];
      case SNIFF_DATA: return this.sniffer[1];
      case N_CHANNELS: return CHANNELS;
      case MULTI_CHAN_TRIGGER: case FIFO_LEVELS: case CHAN_ABORT: return 0;
    }
    return super.readUint32(offset);
  }
  writeUint32(offset, value) {
    if (offset < CHANNELS_END) { this.channels[offset >>> 6].write((offset >>> 2) & 15, value); return; }
    if (offset >= TIMER0 && offset <= TIMER3) { this.timers[(offset - TIMER0) >>> 2] = value >>> 0; return; }
    switch (offset) {
      case INTR: case INTS0: case INTS1: this.raised &= ~this.rawWriteValue; break;
      case INTE0: this.enabled[0] = value & 0xffff; break;
      case INTF0: this.forced[0] = value & 0xffff; break;
      case INTE1: this.enabled[1] = value & 0xffff; break;
      case INTF1: this.forced[1] = value & 0xffff; break;
      case MULTI_CHAN_TRIGGER:
        for (const channel of this.channels) if ((value >>> channel.index) & 1) channel.start();
        return;
      case CHAN_ABORT:
        for (const channel of this.channels) if ((value >>> channel.index) & 1) channel.abort();
        return;
      case SNIFF_CTRL: this.sniffer[0] = value; return;
      case SNIFF_DATA: this.sniffer[1] = value; return;
      default: if (offset < DEBUG) super.writeUint32(offset, value); return;
    }
    this.update();
  }
}
