// The DMA, as RP2040 datasheet section 2.5 has it.

import assert from 'node:assert/strict';
import test from 'node:test';
import { SET, makeBlocks } from './blocks.mjs';

const DMA = 0x50000000, INTR = DMA + 0x400, INTE0 = DMA + 0x404, INTS0 = DMA + 0x40c, TIMER0 = DMA + 0x420, MULTI = DMA + 0x430, ABORT = DMA + 0x444;
const SOURCE = 0x20001000, TARGET = 0x20002000, IRQ = 11;
const EN = 1, BUSY = 1 << 24, INCR_READ = 0x10, INCR_WRITE = 0x20, RING_WRITE = 1 << 10, QUIET = 1 << 21, BSWAP = 1 << 22;
const WORD = 8, HALF = 4, PERMANENT = 0x3f << 15, TIMER = 0x3b << 15;
const chain = (to) => to << 11, ring = (bits) => bits << 6;

function channels() {
  const m = makeBlocks();
  for (let i = 0; i < 64; i++) m.write(SOURCE + 4 * i, 0x01020304 + i * 0x10101010);
  m.at = (channel, word) => DMA + 0x40 * channel + 4 * word;
  m.set = (channel, read, write, count, control) => [read, write, count, control].forEach((value, i) => m.write(m.at(channel, i), value));
  m.channel = (channel) => m.words(m.at(channel, 0), 4);
  return m;
}
const copy = EN | WORD | INCR_READ | INCR_WRITE | PERMANENT;

test('copies words, half-words, bytes, and swaps their bytes', () => {
  const m = channels();
  m.set(0, SOURCE, TARGET, 8, copy);
  assert.equal(m.read(m.at(0, 3)) & BUSY, BUSY);
  m.after(100);
  assert.deepEqual(m.words(TARGET, 8), m.words(SOURCE, 8));
  assert.deepEqual(m.channel(0), [SOURCE + 32, TARGET + 32, 0, copy]);
  m.set(0, SOURCE, TARGET, 2, copy | BSWAP);
  m.after(100);
  assert.deepEqual(m.words(TARGET, 2), [0x04030201, 0x14131211]);
  m.set(0, SOURCE, TARGET, 2, (copy & ~WORD) | HALF | BSWAP);
  m.after(100);
  assert.deepEqual(m.halves(TARGET, 2), [0x0403, 0x0201]);
  m.set(0, SOURCE, TARGET, 3, copy & ~WORD);
  m.after(100);
  assert.equal(m.read(TARGET) & 0xffffff, 0x020304);
});

test('one cycle a transfer, BUSY until the last', () => {
  const m = channels();
  m.set(3, SOURCE, TARGET, 1000, copy | chain(3));
  m.after(7990);
  assert.equal(m.read(m.at(3, 3)) & BUSY, BUSY);
  m.after(20);
  assert.equal(m.read(m.at(3, 3)) & BUSY, 0);
});

test('every alias starts the channel by its fourth word, and a zero there does not', () => {
  for (const [words, last] of [[[0, 1, 2], 3], [[4, 5, 6], 7], [[8, 9, 10], 11], [[12, 13, 14], 15]]) {
    const m = channels();
    const kinds = { 0: [SOURCE, TARGET, 4, copy], 4: [copy, SOURCE, TARGET, 4], 8: [copy, 4, SOURCE, TARGET], 12: [copy, TARGET, 4, SOURCE] }[words[0]];
    kinds.slice(0, 3).forEach((value, i) => m.write(m.at(0, words[i]), value));
    m.after(1000);
    assert.deepEqual(m.words(TARGET, 4), [0, 0, 0, 0]);
    m.write(m.at(0, last), kinds[3]);
    m.after(1000);
    assert.deepEqual(m.words(TARGET, 4), m.words(SOURCE, 4));
    assert.equal(m.read(m.at(0, last)), m.read(m.at(0, { 3: 3, 7: 2, 11: 1, 15: 0 }[last])));
  }
});

test('TRANS_COUNT is reloaded at every trigger, the addresses go on', () => {
  const m = channels();
  m.set(0, SOURCE, TARGET, 4, copy);
  m.after(100);
  m.write(MULTI, 1);
  m.after(100);
  assert.deepEqual(m.words(TARGET, 8), m.words(SOURCE, 8));
  assert.equal(m.read(m.at(0, 2)), 0);
  assert.equal(m.read(DMA + 0x804), 4);
});

test('rings wrap read or write addresses within their size', () => {
  const m = channels();
  m.set(0, SOURCE, TARGET + 8, 7, copy | RING_WRITE | ring(4));
  m.after(100);
  const s = m.words(SOURCE, 7);
  assert.deepEqual(m.words(TARGET, 4), [s[6], s[3], s[4], s[5]], 'the ring holds four words, begun at its third');
  assert.equal(m.read(m.at(0, 1)), TARGET + 4);
  m.set(0, SOURCE + 8, TARGET + 64, 4, copy | ring(3));
  m.after(100);
  assert.deepEqual(m.words(TARGET + 64, 4), [s[2], s[3], s[2], s[3]]);
});

test('two channels chain to each other for ever, each round its own half', () => {
  const m = channels();
  const control = (EN | HALF | INCR_WRITE | RING_WRITE | ring(3) | TIMER);
  m.write(TIMER0, (1 << 16) | 125);                                       // one a microsecond
  let value = 0;
  m.rp2040.peripherals[0x40060] = { readUint32: () => value++ };          // something that counts
  m.set(0, 0x40060000, TARGET, 4, (control | chain(1)) & ~EN);
  m.set(1, 0x40060000, TARGET + 8, 4, (control | chain(0)) & ~EN);
  m.write(m.at(1, 4), control | chain(0));                                // CTRL without a trigger
  m.write(m.at(0, 3), control | chain(1));
  for (let us = 1; us <= 40; us++) {
    m.after(1000);
    assert.equal(value, us);
    const written = m.halves(TARGET + 2 * ((us - 1) % 8), 1)[0];
    assert.equal(written, us - 1);
    const busy = [0, 1].map((c) => (m.read(m.at(c, 3)) & BUSY) !== 0);
    assert.deepEqual(busy, us % 8 < 4 ? [true, false] : [false, true]);
  }
});

test('interrupts: raw at the end of a block, cleared by a 1, none while quiet, one for a null trigger then', () => {
  const m = channels();
  m.set(2, SOURCE, TARGET, 4, copy | chain(2));
  m.after(100);
  assert.equal(m.read(INTR), 4);
  assert.equal(m.pending(IRQ), false);
  m.write(INTE0 + SET, 4);
  assert.equal(m.pending(IRQ), true);
  m.write(INTS0, 4);
  assert.deepEqual([m.read(INTR), m.pending(IRQ)], [0, false]);
  m.set(2, SOURCE, TARGET, 4, copy | chain(2) | QUIET);
  m.after(100);
  assert.equal(m.read(INTR), 0);
  m.write(m.at(2, 15), 0);
  assert.equal(m.pending(IRQ), true);
});

test('pacing timers ask X times in Y cycles', () => {
  const m = channels();
  m.write(TIMER0, (3 << 16) | 1000);
  m.set(0, SOURCE, TARGET, 60, EN | WORD | INCR_READ | INCR_WRITE | TIMER);
  m.after(8 * 1000 * 10 + 10);
  assert.equal(m.read(m.at(0, 2)), 30);
});

test('clearing EN pauses a channel, CHAN_ABORT ends it, nothing to do is done at once', () => {
  const m = channels();
  m.write(TIMER0, (1 << 16) | 125);
  m.set(0, SOURCE, TARGET, 60, EN | WORD | INCR_READ | INCR_WRITE | TIMER);
  m.after(10_500);
  m.write(m.at(0, 4), WORD | INCR_READ | INCR_WRITE | TIMER);
  m.after(10_000);
  assert.equal(m.read(m.at(0, 2)), 50);
  assert.equal(m.read(m.at(0, 3)) & BUSY, BUSY);
  m.write(m.at(0, 4), EN | WORD | INCR_READ | INCR_WRITE | TIMER);
  m.after(10_500);
  assert.equal(m.read(m.at(0, 2)), 40);
  m.write(ABORT, 1);
  assert.equal(m.read(ABORT), 0);
  assert.equal(m.read(m.at(0, 3)) & BUSY, 0);
  m.after(10_000);
  assert.equal(m.read(m.at(0, 2)), 40);
  m.set(1, SOURCE, TARGET, 0, copy | chain(1));
  assert.equal(m.read(m.at(1, 3)) & BUSY, 0);
});

test('SPI asks for bytes and gives them', () => {
  const m = channels(), SPI = 0x4003c000, spi = m.rp2040.spi[0];
  const alarm = m.clock.createAlarm(() => spi.completeTransmit(alarm.answer));
  spi.onTransmit = (byte) => { alarm.answer = byte ^ 0xff; alarm.schedule(1600); };
  m.write(SPI, 7);
  m.write(SPI + 0x10, 2);
  m.write(SPI + 4, 2);
  m.write(SPI + 0x24, 3);
  m.set(0, SPI + 8, TARGET, 20, EN | INCR_WRITE | (17 << 15));
  m.set(1, SOURCE, SPI + 8, 20, EN | INCR_READ | (16 << 15) | chain(1));
  m.after(20 * 1600 + 100);
  assert.deepEqual(m.words(TARGET, 5), m.words(SOURCE, 5).map((x) => ~x >>> 0));
});
