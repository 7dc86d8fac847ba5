// The I2C controller at register level, as RP2040 datasheet section 4.3 has it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Listener, makeBlocks } from './blocks.mjs';

const I2C = 0x40044000, CON = I2C, TAR = I2C + 4, DATA_CMD = I2C + 0x10, FS_HCNT = I2C + 0x1c, FS_LCNT = I2C + 0x20, INTR_STAT = I2C + 0x2c,
  INTR_MASK = I2C + 0x30, RAW = I2C + 0x34, RX_TL = I2C + 0x38, CLR_INTR = I2C + 0x40, CLR_TX_ABRT = I2C + 0x54, CLR_STOP_DET = I2C + 0x60, ENABLE = I2C + 0x6c,
  STATUS = I2C + 0x70, TXFLR = I2C + 0x74, RXFLR = I2C + 0x78, ABRT_SOURCE = I2C + 0x80, DMA_CR = I2C + 0x88, DMA_TDLR = I2C + 0x8c, ENABLE_STATUS = I2C + 0x9c,
  SPKLEN = I2C + 0xa0, RESETS = 0x4000c000;
const READ = 0x100, STOP = 0x200, RESTART = 0x400;
const RX_OVER = 2, RX_FULL = 4, TX_OVER = 8, TX_EMPTY = 16, TX_ABRT = 64, STOP_DET = 512;
const ADDRESS = 0x53, IRQ = 23;

// As MicroPython's I2C(freq=400_000) leaves it at 125 MHz: 332 cycles of 8 ns a bit (section 4.3.14).
const BIT = 332 * 8;
function controller({ con = 0x165, device = new Listener(0x10) } = {}) {
  const m = makeBlocks();
  m.device = device;
  m.rp2040.i2c[0].devices.set(ADDRESS, device);
  for (const [at, value] of [[ENABLE, 0], [CON, con], [FS_HCNT, 126], [FS_LCNT, 187], [SPKLEN, 11], [TAR, ADDRESS], [INTR_MASK, 0], [ENABLE, 1]]) m.write(at, value);
  m.bytes = () => { const bytes = []; while (m.read(RXFLR)) bytes.push(m.read(DATA_CMD) & 0xff); return bytes; };
  return m;
}
const commands = (m, list) => list.forEach((command) => m.write(DATA_CMD, command));
const readFrom = (register, n) => [register, ...Array.from({ length: n }, (_, i) => READ | (i === 0 ? RESTART : 0) | (i === n - 1 ? STOP : 0))];

test('a register and n reads in the TX FIFO become n bytes in the RX FIFO, at the pace of the bus', () => {
  const m = controller();
  commands(m, readFrom(0x32, 6));
  const first = 1 + 9 + 9 + 1 + 9 + 9;                       // START, address, register, RESTART, address, byte
  m.after((first - 0.5) * BIT);
  assert.equal(m.read(RXFLR), 0);
  for (let i = 1; i <= 6; i++) {
    m.after(i === 1 ? BIT : 9 * BIT);
    assert.equal(m.read(RXFLR), i);
    assert.equal(m.read(TXFLR), Math.max(0, 6 - i - 1), 'the next command has left the FIFO');
  }
  assert.equal(m.read(STATUS) & 0x21, 0x21);
  m.after(BIT);
  assert.equal(m.read(STATUS) & 0x21, 0);
  assert.ok(m.read(RAW) & STOP_DET);
  assert.deepEqual(m.bytes(), [0x10, 0x11, 0x12, 0x13, 0x14, 0x15]);
  assert.deepEqual(m.device.seen, ['W', 0x32, 'R', 'P']);
});

test('a change of direction is a RESTART without being told, a STOP in between makes two transfers', () => {
  const m = controller();
  commands(m, [7, READ, 8 | STOP, 9 | STOP]);
  m.after(1e6);
  assert.deepEqual(m.device.seen, ['W', 7, 'R', 'W', 8, 'P', 'W', 9, 'P']);
});

test('between commands of one transfer the bus is held', () => {
  const m = controller();
  commands(m, [7]);
  m.after(1e6);
  assert.deepEqual(m.device.seen, ['W', 7]);
  assert.equal(m.read(STATUS) & 0x20, 0x20);
  m.write(ENABLE, 0);
  assert.equal(m.read(ENABLE_STATUS), 1, 'still at work');
  m.write(ENABLE, 1);
  commands(m, [READ | RESTART | STOP]);
  m.after(1e6);
  assert.deepEqual(m.device.seen, ['W', 7, 'R', 'P']);
});

test('an absent address aborts: source, flushed FIFOs until IC_CLR_TX_ABRT, STOP', () => {
  const m = controller();
  m.write(TAR, 0x20);
  m.write(INTR_MASK, TX_ABRT);
  commands(m, readFrom(0x32, 6));
  m.after(9 * BIT);
  assert.equal(m.read(RAW) & TX_ABRT, 0);
  m.after(BIT);
  assert.equal(m.read(RAW) & (TX_ABRT | STOP_DET), TX_ABRT);
  assert.equal(m.pending(IRQ), true);
  assert.equal(m.read(ABRT_SOURCE), (7 << 23 | 1) >>> 0);
  assert.equal(m.read(ABRT_SOURCE) & 1, 1, 'reading it does not clear it');
  assert.equal(m.read(RAW) & TX_EMPTY, TX_EMPTY);
  m.after(BIT);
  assert.equal(m.read(RAW) & STOP_DET, STOP_DET);
  commands(m, [1]);
  assert.equal(m.read(TXFLR), 0);
  assert.equal(m.read(CLR_TX_ABRT), 0);
  assert.deepEqual([m.read(ABRT_SOURCE), m.read(INTR_STAT), m.pending(IRQ)], [0, 0, false]);
  m.write(TAR, ADDRESS);
  commands(m, readFrom(0, 2));
  m.after(1e6);
  assert.deepEqual(m.bytes(), [0x10, 0x11]);
});

test('a byte that is not acknowledged aborts with its own source', () => {
  const m = controller({ device: new Listener(0, 1) });
  commands(m, [1, 2, 3 | STOP]);
  m.after(1e6);
  assert.equal(m.read(ABRT_SOURCE), (1 << 23 | 8) >>> 0);
  assert.deepEqual(m.device.seen, ['W', 1, 2, 'P']);
});

test('TX_EMPTY waits for the byte on the bus where TX_EMPTY_CTRL is set', () => {
  for (const [con, early] of [[0x165, 0], [0x65, TX_EMPTY]]) {
    const m = controller({ con });
    commands(m, [1]);
    assert.equal(m.read(RAW) & TX_EMPTY, 0);
    m.after(14 * BIT);
    assert.equal(m.read(RAW) & TX_EMPTY, early);
    m.after(5 * BIT);
    assert.equal(m.read(RAW) & TX_EMPTY, TX_EMPTY);
  }
});

test('both FIFOs hold sixteen: more is lost, or the bus waits where it is told to', () => {
  const lossy = controller();
  for (let i = 0; i < 17; i++) lossy.write(DATA_CMD, READ);
  assert.equal(lossy.read(RAW) & TX_OVER, TX_OVER);
  assert.equal(lossy.read(TXFLR), 16);
  lossy.after(1e6);
  commands(lossy, [READ | STOP]);
  lossy.after(1e6);
  assert.equal(lossy.read(RAW) & RX_OVER, RX_OVER);
  assert.equal(lossy.bytes().length, 16);

  const patient = controller({ con: 0x365 });
  for (let i = 0; i < 16; i++) patient.write(DATA_CMD, READ);
  patient.after(1e6);
  commands(patient, [READ | STOP]);
  patient.after(1e6);
  assert.deepEqual([patient.read(RAW) & RX_OVER, patient.read(RXFLR), patient.read(TXFLR)], [0, 16, 1]);
  patient.read(DATA_CMD);
  patient.after(1e6);
  assert.equal(patient.bytes().length, 16);
});

test('RX_FULL follows the threshold', () => {
  const m = controller();
  m.write(RX_TL, 1);
  commands(m, readFrom(0, 3));
  m.after(1e6);
  assert.equal(m.read(RAW) & RX_FULL, RX_FULL);
  m.read(DATA_CMD); m.read(DATA_CMD);
  assert.equal(m.read(RAW) & RX_FULL, 0);
});

test('ABORT ends the transfer after the byte under way', () => {
  const m = controller();
  commands(m, [1, 2, 3, 4]);
  m.after(15 * BIT);
  m.write(ENABLE, 3);
  assert.equal(m.read(ENABLE), 3);
  m.after(10 * BIT);
  assert.equal(m.read(ENABLE), 1);
  assert.equal(m.read(ABRT_SOURCE) & 0x1ffff, 1 << 16);
  assert.deepEqual(m.device.seen, ['W', 1, 'P']);
});

test('the DMA feeds commands and takes bytes', () => {
  const m = controller(), SOURCE = 0x20001000, TARGET = 0x20002000, DMA = 0x50000000;
  readFrom(0x72, 20).forEach((command, i) => m.rp2040.writeUint16(SOURCE + 2 * i, command));
  m.write(DMA_CR, 3);
  m.write(DMA_TDLR, 8);
  const channel = (n, read, write, count, control) => [read, write, count, control].forEach((value, i) => m.write(DMA + 0x40 * n + 4 * i, value));
  channel(0, DATA_CMD, TARGET, 20, (33 << 15) | (0 << 11) | 0x21);                // bytes in
  channel(1, SOURCE, DATA_CMD, 21, (32 << 15) | (1 << 11) | 0x15);                // half-words out
  m.after(1e6);
  assert.deepEqual(Array.from({ length: 20 }, (_, i) => m.rp2040.readUint8(TARGET + i)), Array.from({ length: 20 }, (_, i) => 0x10 + i));
  assert.equal(m.read(RXFLR), 0);
});

test('RESETS ends what is under way', () => {
  const m = controller();
  commands(m, readFrom(0, 6));
  m.after(30 * BIT);
  m.write(RESETS, 8);
  m.write(RESETS, 0);
  m.after(1e6);
  assert.deepEqual([m.read(RXFLR), m.read(STATUS) & 0x21, m.read(ENABLE), m.read(CON), m.read(RAW)], [0, 0, 0, 0x65, 0]);
});

test('STOP_DET and all others are cleared by being read', () => {
  const m = controller();
  commands(m, [1 | STOP]);
  m.after(1e6);
  m.read(CLR_STOP_DET);
  assert.equal(m.read(RAW) & STOP_DET, 0);
  m.read(CLR_INTR);
  assert.equal(m.read(RAW), TX_EMPTY);
});
