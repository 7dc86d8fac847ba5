// What the trace keeps of buses and pins, told by hand.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Listener, makeBlocks } from './blocks.mjs';
import { emulatorModule } from './machines.mjs';

const { I2cBus, SpiBus } = await emulatorModule('buses.mjs');
const { Pins } = await emulatorModule('pins.mjs');
const { Faults } = await emulatorModule('devices/faults.mjs');
const { Trace } = await emulatorModule('trace.mjs');

const SSP = 0x4003c000, CS = 17, SIO_OUT_SET = 0xd0000014, SIO_OUT_CLR = 0xd0000018, SIO_OE_SET = 0xd0000024;
const I2C = 0x40044000, DATA_CMD = I2C + 0x10, READ = 0x100, STOP = 0x200;
const KINDS = ['spi', 'i2c', 'usb', 'usb control'];

// Rows as objects, as `traffic.py` reads them.
function told(trace, since = 0) {
  const [rows, bytes] = trace.take(since), found = [];
  for (let at = 0, from = 0; at < rows.length; at += 36) {
    const out = rows.readUInt16LE(at + 24), in_ = rows.readUInt16LE(at + 26);
    found.push({ kind: KINDS[rows[at + 30]], chip: rows.readInt16LE(at + 28), flags: rows[at + 32],
      from: rows.readDoubleLE(at), until: rows.readDoubleLE(at + 8), all: [rows.readUInt32LE(at + 16), rows.readUInt32LE(at + 20)],
      out: [...bytes.subarray(from, from + out)], in: [...bytes.subarray(from + out, from + out + in_)] });
    from += out + in_;
  }
  return found;
}

function spi(blocks = makeBlocks()) {
  const m = { ...blocks }, trace = new Trace(() => m.clock.nanos), pins = new Pins(m.rp2040, 0, [], trace);
  const device = { faults: new Faults(1), selected() {}, deselected() {}, spi(byte) { return byte ^ 0xff; } };
  m.rp2040.clkPeri = 125e6;
  for (const [at, value] of [[SSP + 16, 2], [SSP, (12 << 8) | 0xc7], [SSP + 4, 2], [0x4001408c, 5]]) m.write(at, value);
  m.write(SIO_OE_SET, 1 << CS);
  m.write(SIO_OUT_SET, 1 << CS);
  new SpiBus(m.rp2040, pins, 0, trace).attach(device, CS, 3);
  m.select = (low) => m.write(low ? SIO_OUT_CLR : SIO_OUT_SET, 1 << CS);
  return { ...m, trace, device, pins, byte: 8 * 26 * 8 };
}

test('an SPI transfer is what is between two edges of its chip select', () => {
  const m = spi();
  m.after(1000);
  m.select(true);
  for (const byte of [0xf2, 0, 7]) m.write(SSP + 8, byte);
  m.after(3 * m.byte);
  m.select(false);
  assert.deepEqual(told(m.trace), [{ kind: 'spi', chip: 3, flags: 0, from: 1000, until: 1000 + 3 * m.byte, all: [3, 3],
    out: [0xf2, 0, 7], in: [0x0d, 0xff, 0xf8] }]);
});

test('the wires are told, not the device: bytes to nobody, and an absent device', () => {
  const m = spi();
  m.write(SSP + 8, 1);
  m.after(m.byte);
  m.after(1e6);
  m.write(SSP + 8, 2);
  m.after(m.byte);
  m.device.faults.set({ absent: true });
  m.select(true);
  m.write(SSP + 8, 3);
  m.after(m.byte);
  m.select(false);
  assert.deepEqual(told(m.trace).map((t) => [t.chip, t.out, t.in]), [[-1, [1], [255]], [-1, [2], [255]], [3, [3], [255]]]);
});

test('a transfer under way is told as unfinished, and as cut when the chip is reset', () => {
  const m = spi();
  m.select(true);
  m.write(SSP + 8, 9);
  m.after(m.byte);
  assert.deepEqual(told(m.trace).map((t) => [t.flags, t.out, t.until]), [[8, [9], m.byte]]);
  m.trace.cut();
  m.after(1000);
  assert.deepEqual(told(m.trace).map((t) => [t.flags, t.out, t.until]), [[4, [9], m.byte]]);
});

test('I2C has one for each START, with its direction, and says what was refused', () => {
  const m = makeBlocks(), trace = new Trace(() => m.clock.nanos);
  new I2cBus(m.rp2040, null, 0, null, null, trace);
  const device = new Listener(0x10, 2), { devices } = m.rp2040.i2c[0];
  devices.set(0x53, device);
  for (const [at, value] of [[0x6c, 0], [0, 0x165], [0x1c, 126], [0x20, 187], [0xa0, 11], [4, 0x53], [0x30, 0], [0x6c, 1]]) {
    m.write(I2C + at, value);
  }
  for (const command of [0x32, READ, READ | STOP]) m.write(DATA_CMD, command);
  m.after(1e6);
  for (const command of [5, 6, 7 | STOP]) m.write(DATA_CMD, command);
  m.after(1e6);
  m.read(I2C + 0x54);
  m.write(I2C + 0x6c, 0);
  m.write(I2C + 4, 0x20);
  m.write(I2C + 0x6c, 1);
  m.write(DATA_CMD, 1 | STOP);
  m.after(1e6);
  const READING = 1, REFUSED = 2;
  assert.deepEqual(told(trace).map((t) => [t.chip, t.flags, t.out, t.in]), [
    [0x53, 0, [0x32], []], [0x53, READING, [], [0x10, 0x11]], [0x53, REFUSED, [5, 6], []], [0x20, REFUSED, [], []]]);
  const [write, read] = told(trace), bit = 332 * 8;
  assert.equal(write.until, read.from);
  assert.equal(write.until - write.from, (9 + 9 + 1) * bit);
  assert.equal(read.until - read.from, (9 + 9 + 9 + 1) * bit);
});

test('of many transfers and bytes the last are kept, of a long one the first bytes', () => {
  let now = 0;
  const trace = new Trace(() => now), transfer = trace.transfer(0, 0);
  for (let n = 0; n < 70_000; n++) {
    now = n;
    trace.packet(2, 0, [n & 255], [], n);
  }
  assert.equal(told(trace).length, 65_536);
  assert.equal(told(trace, 69_990).length, 10);
  assert.deepEqual(told(trace, 69_999)[0].out, [69_999 & 255]);
  for (let n = 0; n < 1_500; n++) {
    transfer.begin(0);
    for (let k = 0; k < 1_500; k++) transfer.exchanged(k & 255, n & 255);
    transfer.end();
  }
  const found = told(trace);
  assert.equal(found.length, 512);                     // 1 MiB holds no more
  assert.ok(found.every((t, i) => t.all[0] === 1_500 && t.out.length === 1_024 && t.out[1_023] === 255 && t.in[5] === ((988 + i) & 255)));
});

test('every edge of a pin is kept, up to the last 65,536', () => {
  const trace = new Trace(() => 0);
  for (let n = 1; n <= 300; n++) trace.level(4, n % 2 === 1, n * 10);
  assert.deepEqual(trace.takeEdges(2_985)[0], [[4, 0, 2, true]]);
  assert.deepEqual([...new Float64Array(Uint8Array.from(trace.takeEdges(2_985)[1]).buffer)], [2_990, 3_000]);
  for (let n = 301; n <= 70_001; n++) trace.level(4, n % 2 === 1, n * 10);
  const [[[, level, count, all]], times] = trace.takeEdges(0), edges = new Float64Array(Uint8Array.from(times).buffer);
  assert.deepEqual([level, count, all], [1, 65_536, false]);
  assert.deepEqual([edges[0], edges[65_535]], [(70_001 - 65_535) * 10, 700_010]);
});
