// SPI and I2C as the chip's peripherals and pins see them, with any number of devices on each.
//
// An SPI device offers   selected(), deselected(), spi(byte, bus) -> byte
// An I2C device offers   started(read), written(byte) -> acknowledged, read() -> byte
// Both have `faults` (see devices/faults.mjs), which act here, on the wires.

import { I2C, NOBODY, READING, SPI } from './trace.mjs';

const SPO_SPH = 3 << 6;             // SSPCR0: clock polarity and phase

export class SpiBus {
  // trace: a Trace, or null.
  constructor(rp2040, pins, index, trace = null) {
    this.spi = rp2040.spi[index];
    this.pins = pins;
    this.devices = [];
    const transfer = this.transfer = trace?.transfer(SPI, index) ?? null;
    let answer = 0xff;
    const done = rp2040.clock.createAlarm(() => this.spi.completeTransmit(answer));
    this.spi.onTransmit = (byte) => {
      answer = 0xff;                                    // MISO floats high when nobody drives it
      for (const d of this.devices) if (d.active) answer &= this.exchange(d.device, byte);
      transfer?.exchanged(byte, answer);
      done.schedule(this.spi.dataBits * 1e9 / this.spi.clockFrequency);
    };
  }
  exchange(device, byte) {
    const { faults } = device;
    if (!faults.any) return device.spi(byte, this);
    if (faults.absent) return faults.floats;
    return faults.corrupt(device.spi(faults.corrupt(byte), this));
  }
  // Mode 0 to 3 as in datasheets: polarity × 2 + phase.
  get mode() { const bits = (this.spi.control0 & SPO_SPH) >> 6; return ((bits & 1) << 1) | (bits >> 1); }
  get hz() { return this.spi.clockFrequency; }
  // index: what the trace calls the device.
  attach(device, csPin, index = NOBODY) {
    const entry = { device, active: false }, { transfer } = this;
    this.devices.push(entry);
    const see = () => {
      const active = this.pins.level(csPin) === 0;
      if (active === entry.active) return;
      entry.active = active;
      if (active) {
        transfer?.begin(index);
        device.selected();
      } else {
        if (transfer?.chip === index) transfer.end();
        device.deselected();
      }
    };
    this.pins.gpio[csPin].addListener(see);
    see();
  }
}

// An I2C device as the bus has it, with what is wrong with it.
class OnWires {
  constructor(device) { this.device = device; }
  started(read) {
    if (this.device.faults.absent) return false;
    this.device.started(read);
    return true;
  }
  written(byte) { return this.device.written(this.device.faults.corrupt(byte)); }
  read() { return this.device.faults.corrupt(this.device.read()); }
}

const NO_NUMBER = 255;              // a bus on pins alone

// MicroPython's I2C bit-bangs writes of no bytes on the pins (`scan`) and leaves the rest to the peripheral, so a device
// answers on both. Without pins, or without a peripheral, it answers on the other alone.
export class I2cBus {
  constructor(rp2040, pins, index, sdaPin = null, sclPin = null, trace = null) {
    this.devices = new Map();
    this.transfer = trace?.transfer(I2C, index ?? NO_NUMBER) ?? null;
    this.trace = trace;
    if (index !== null) {
      rp2040.i2c[index].devices = this.devices;
      rp2040.i2c[index].traced = this.transfer;
    }
    if (sdaPin === null || sclPin === null) return;
    this.pins = pins;
    this.sda = sdaPin;
    this.scl = sclPin;
    this.pin = { state: 'idle', bits: 0, byte: 0, sda: 1, scl: 1, pull: false, nack: false, device: null };
    for (const p of [sdaPin, sclPin]) {
      pins.drive(p, 1);                                 // the bus's pull-up resistors
      pins.gpio[p].addListener(() => this.lines());
    }
  }
  attach(device, address) { this.devices.set(address, new OnWires(device)); }

  pull(low) { this.pin.pull = low; this.pins.drive(this.sda, low ? 0 : 1); this.lines(); }

  lines() {
    const p = this.pin, scl = this.pins.level(this.scl);
    const sda = this.pins.level(this.sda) & (p.pull ? 0 : 1), wasScl = p.scl, wasSda = p.sda;
    p.scl = scl; p.sda = sda;
    if (scl && wasScl && sda !== wasSda) {
      if (sda) {
        p.state = 'idle'; p.device = null;
        this.transfer?.end();
      } else {
        p.state = 'address'; p.bits = 0; p.byte = 0;
        if (this.trace) p.since = this.trace.now();
      }
    } else if (scl && !wasScl) {
      this.rising(sda);
    } else if (!scl && wasScl) {
      this.falling();
    }
  }
  rising(sda) {
    const p = this.pin;
    if (p.state === 'address' || p.state === 'write') { p.byte = ((p.byte << 1) | sda) & 255; p.bits++; }
    else if (p.state === 'read') p.bits++;
    else if (p.state === 'master-ack') p.nack = sda === 1;
  }
  falling() {
    const p = this.pin;
    switch (p.state) {
      case 'address':
        if (p.bits < 8) return;
        p.device = this.devices.get(p.byte >> 1) ?? null;
        p.reading = (p.byte & 1) === 1;
        this.transfer?.begin(p.byte >> 1, p.reading ? READING : 0, p.since);
        if (!p.device?.started(p.reading)) { p.state = 'idle'; this.transfer?.refused(); return; }
        p.state = 'ack';
        this.pull(true);
        return;
      case 'write':
        if (p.bits < 8) return;
        this.transfer?.write(p.byte);
        if (!p.device.written(p.byte)) { p.state = 'idle'; this.transfer?.refused(); return; }
        p.state = 'ack';
        this.pull(true);
        return;
      case 'ack':
        if (p.reading) { this.load(); return; }
        p.state = 'write'; p.bits = 0; p.byte = 0;
        this.pull(false);
        return;
      case 'read':
        if (p.bits === 8) { p.state = 'master-ack'; this.pull(false); return; }
        this.pull(!((p.byte << p.bits) & 0x80));
        return;
      case 'master-ack':
        if (p.nack) { p.state = 'idle'; this.pull(false); } else this.load();
    }
  }
  load() {
    const p = this.pin;
    p.byte = p.device.read();
    this.transfer?.read(p.byte);
    p.bits = 0;
    p.state = 'read';
    this.pull(!(p.byte & 0x80));
  }
}
