// SPI and I2C as the chip's peripherals and pins see them, with any number of devices on each.
//
// An SPI device offers   selected(), deselected(), spi(byte, bus) -> byte
// An I2C device offers   started(read), written(byte) -> acknowledged, read() -> byte

const SPO_SPH = 3 << 6;             // SSPCR0: clock polarity and phase

export class SpiBus {
  constructor(rp2040, pins, index) {
    this.spi = rp2040.spi[index];
    this.pins = pins;
    this.devices = [];
    let answer = 0xff;
    const done = rp2040.clock.createAlarm(() => this.spi.completeTransmit(answer));
    this.spi.onTransmit = (byte) => {
      answer = 0xff;                                    // MISO floats high when nobody drives it
      for (const d of this.devices) if (d.active) answer &= d.device.spi(byte, this);
      done.schedule(this.spi.dataBits * 1e9 / this.spi.clockFrequency);
    };
  }
  // Mode 0 to 3 as in datasheets: polarity × 2 + phase.
  get mode() { const bits = (this.spi.control0 & SPO_SPH) >> 6; return ((bits & 1) << 1) | (bits >> 1); }
  get hz() { return this.spi.clockFrequency; }
  attach(device, csPin) {
    const entry = { device, active: false };
    this.devices.push(entry);
    const see = () => {
      const active = this.pins.level(csPin) === 0;
      if (active === entry.active) return;
      entry.active = active;
      if (active) device.selected(); else device.deselected();
    };
    this.pins.gpio[csPin].addListener(see);
    see();
  }
}

// MicroPython's I2C bit-bangs every write of two bytes or fewer on the pins and leaves the rest to the peripheral, so a
// device must answer on both.
export class I2cBus {
  constructor(rp2040, pins, index, sdaPin, sclPin) {
    this.pins = pins;
    this.sda = sdaPin;
    this.scl = sclPin;
    this.devices = new Map();
    this.pin = { state: 'idle', bits: 0, byte: 0, sda: 1, scl: 1, pull: false, nack: false, device: null };
    for (const p of [sdaPin, sclPin]) {
      pins.drive(p, 1);                                 // the bus's pull-up resistors
      pins.gpio[p].addListener(() => this.lines());
    }
    if (index !== null) this.peripheral(rp2040.i2c[index], rp2040.clock);
  }
  attach(device, address) { this.devices.set(address, device); }

  peripheral(i2c, clock) {
    let then = null, device = null;
    const alarm = clock.createAlarm(() => then());
    const later = (bits, f) => {
      then = f;
      alarm.schedule(Math.max(100, bits * (i2c.sclLowPeriod + i2c.sclHighPeriod) * 8));
    };
    i2c.onStart = () => later(1, () => i2c.completeStart());
    i2c.onConnect = (address, mode) => later(9, () => {
      device = this.devices.get(address) ?? null;
      device?.started(mode !== 0);
      i2c.completeConnect(device !== null);
    });
    i2c.onWriteByte = (byte) => later(9, () => i2c.completeWrite(device?.written(byte) ?? false));
    i2c.onReadByte = () => later(9, () => i2c.completeRead(device?.read() ?? 0xff));
    i2c.onStop = () => later(1, () => { device = null; i2c.completeStop(); });
  }

  pull(low) { this.pin.pull = low; this.pins.drive(this.sda, low ? 0 : 1); this.lines(); }

  lines() {
    const p = this.pin, scl = this.pins.level(this.scl);
    const sda = this.pins.level(this.sda) & (p.pull ? 0 : 1), wasScl = p.scl, wasSda = p.sda;
    p.scl = scl; p.sda = sda;
    if (scl && wasScl && sda !== wasSda) {
      if (sda) { p.state = 'idle'; p.device = null; } else { p.state = 'address'; p.bits = 0; p.byte = 0; }
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
        if (!p.device) { p.state = 'idle'; return; }
        p.reading = (p.byte & 1) === 1;
        p.device.started(p.reading);
        p.state = 'ack';
        this.pull(true);
        return;
      case 'write':
        if (p.bits < 8) return;
        if (!p.device.written(p.byte)) { p.state = 'idle'; return; }
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
    p.bits = 0;
    p.state = 'read';
    this.pull(!(p.byte & 0x80));
  }
}
