// The ADC with its FIFO and the DMA behind it, as RP2040 datasheet section 4.9 has them.

import assert from 'node:assert/strict';
import test from 'node:test';
import { CLEAR, SET, makeBlocks } from './blocks.mjs';
import { Random } from './machines.mjs';

const ADC = 0x4004c000, CS = ADC, RESULT = ADC + 4, FCS = ADC + 8, FIFO = ADC + 12, DIV = ADC + 16, INTR = ADC + 20, INTE = ADC + 24;
const DMA = 0x50000000, TARGET = 0x20008000, INTE0 = DMA + 0x404, INTS0 = DMA + 0x40c;
const EN = 1, TS_EN = 2, ONCE = 4, MANY = 8, READY = 0x100;
const FIFO_EN = 1, SHIFT = 2, DREQ_EN = 8, EMPTY = 0x100, FULL = 0x200, UNDER = 0x400, OVER = 0x800;
const ADC_IRQ = 22, DMA_IRQ = 11;
const input = (channel) => channel << 12, round = (mask) => mask << 16, threshold = (n) => n << 24;
const CONVERSION = 2000, CYCLE = 1000 / 48;

function adc() {
  const m = makeBlocks();
  for (let channel = 0; channel < 4; channel++) m.inputs.set(channel, 0x100 * (channel + 1) + channel);
  m.fifo = () => { const codes = []; while (!(m.read(FCS) & EMPTY)) codes.push(m.read(FIFO)); return codes; };
  m.level = () => (m.read(FCS) >>> 16) & 15;
  // Two channels of the DMA, chained for ever into the two halves of a ring of 2 ** bits bytes each.
  m.ring = (bits, quiet = 0) => {
    const half = 1 << bits, control = EN | 4 | 0x20 | 0x400 | (bits << 6) | (36 << 15) | quiet;
    [[1, TARGET + half, 0], [0, TARGET, 1]].forEach(([n, at, next]) => {
      [FIFO, at, half / 2].forEach((value, i) => m.write(DMA + 0x40 * n + 4 * i, value));
      m.write(DMA + 0x40 * n + (n ? 16 : 12), control | (next << 11));
    });
  };
  return m;
}

test('a single conversion takes 2 us', () => {
  const m = adc();
  m.write(CS, EN | input(2));
  assert.equal(m.read(CS), EN | input(2) | READY);
  m.write(CS + SET, ONCE);
  m.after(CONVERSION - 8);
  assert.equal(m.read(CS) & (READY | ONCE), 0);
  m.after(16);
  assert.equal(m.read(CS) & READY, READY);
  assert.equal(m.read(RESULT), 0x302);
  m.after(1e6);
  assert.equal(m.level(), 0, 'nothing goes into the FIFO that is off');
});

test('it converts what is on the input when it starts', () => {
  const m = adc();
  m.inputs.follow(0, Int16Array.of(5, 6, 7), 1e6, m.now);
  m.write(CS, EN | ONCE);
  m.after(500);
  m.write(CS, EN | input(1));
  m.after(CONVERSION);
  assert.equal(m.read(RESULT), 5);
  m.after(CONVERSION);
  assert.equal((m.read(CS) >>> 12) & 7, 1);
  m.write(CS, EN | ONCE);
  m.after(CONVERSION + 8);
  assert.equal(m.read(RESULT), 7, 'and the signal stays at its last code');
});

test('START_MANY: DIV is the period from start to start, 1 + INT + FRAC / 256 cycles of 48 MHz, at least 96', () => {
  for (const [div, cycles] of [[0, 96], [50 << 8, 96], [(999 << 8) | 0, 1000], [(1499 << 8) | 128, 1500.5]]) {
    const m = adc(), n = 3000;
    m.write(DIV, div);
    m.write(FCS, FIFO_EN | DREQ_EN | threshold(1));
    m.ring(15);
    m.write(CS, EN | MANY);
    m.after((n - 1) * cycles * CYCLE + CONVERSION - 10);
    assert.equal(m.read(DMA + 4) - TARGET, 2 * (n - 1), `DIV ${div}`);
    m.after(20);
    assert.equal(m.read(DMA + 4) - TARGET, 2 * n);
  }
});

test('round robin begins with AINSEL and goes up through the chosen channels', () => {
  const m = adc();
  m.write(FCS, FIFO_EN | threshold(1));
  m.write(CS, EN | TS_EN | MANY | input(2) | round(0b10110));
  const seen = [];
  for (let i = 0; i < 7; i++) { m.after(CONVERSION + 1); seen.push(...m.fifo()); }
  assert.deepEqual(seen, [0x302, 876, 0x201, 0x302, 876, 0x201, 0x302]);
  assert.equal((m.read(CS) >>> 12) & 7, 4);
});

test('without its sensor powered the temperature channel reads nothing', () => {
  const m = adc();
  m.write(CS, EN | ONCE | input(4));
  m.after(CONVERSION + 8);
  assert.equal(m.read(RESULT), 0);
});

test('the FIFO holds four; OVER and UNDER stay until a 1 is written', () => {
  const m = adc();
  m.write(FCS, FIFO_EN | threshold(3));
  m.write(INTE, 1);
  m.write(CS, EN | MANY);
  m.after(2 * CONVERSION + 10);
  assert.deepEqual([m.level(), m.read(INTR), m.pending(ADC_IRQ)], [2, 0, false]);
  m.after(CONVERSION);
  assert.deepEqual([m.level(), m.read(INTR), m.pending(ADC_IRQ)], [3, 1, true]);
  m.after(CONVERSION);
  assert.equal(m.read(FCS) & (FULL | OVER), FULL);
  m.after(CONVERSION);
  assert.equal(m.read(FCS) & (FULL | OVER), FULL | OVER);
  m.write(CS + CLEAR, MANY);
  m.after(CONVERSION);
  assert.equal(m.fifo().length, 4);
  assert.equal(m.pending(ADC_IRQ), false);
  assert.equal(m.read(FIFO), 0);
  m.write(FCS + CLEAR, DREQ_EN);
  assert.equal(m.read(FCS) & (UNDER | OVER), UNDER | OVER);
  m.write(FCS + SET, OVER);
  assert.equal(m.read(FCS) & (UNDER | OVER), UNDER);
  m.write(FCS, UNDER | FIFO_EN);
  assert.equal(m.read(FCS) & (UNDER | OVER), 0);
});

test('SHIFT makes bytes', () => {
  const m = adc();
  m.write(FCS, FIFO_EN | SHIFT | threshold(1));
  m.write(CS, EN | ONCE | input(3));
  m.after(CONVERSION + 8);
  assert.deepEqual(m.fifo(), [0x40]);
});

test('two chained channels of the DMA fill a ring for ever, whenever somebody looks', () => {
  const m = adc(), random = new Random(5), bits = 6, length = 2 * (1 << bits) / 2;
  const ramp = Int16Array.from({ length: 4000 }, (_, i) => i), period = 625;       // 76.8 kHz
  m.inputs.follow(0, ramp, 48e6 / period, -10);
  m.write(FCS, FIFO_EN | DREQ_EN | threshold(1));
  m.write(DIV, (period - 1) << 8);
  m.ring(bits);
  m.write(CS, EN | MANY);
  let looked = 0;
  while (m.now < 3900 * period * CYCLE) {
    m.after(random.below(400_000));
    const done = Math.floor((m.now - CONVERSION) / (period * CYCLE) + 1 + 1e-9);
    const active = (m.read(DMA + 12) & 0x1000000) !== 0 ? 0 : 1;
    const at = ((m.read(DMA + 0x40 * active + 4) - TARGET) / 2) % length;
    assert.equal(at, done % length);
    assert.equal(m.read(DMA + 0x40 * active + 8), length / 2 - done % (length / 2));
    const ring = m.halves(TARGET, length);
    for (let i = Math.max(0, done - length); i < done; i++) assert.equal(ring[i % length], i);
    looked++;
  }
  assert.ok(looked > 100);
  assert.equal(m.read(FCS) & (OVER | UNDER), 0);
});

test('an interrupt of the DMA comes at its own conversion', () => {
  const m = adc(), period = 1000, half = 32;
  m.write(FCS, FIFO_EN | DREQ_EN | threshold(1));
  m.write(DIV, (period - 1) << 8);
  m.ring(6);
  m.write(INTE0, 3);
  m.write(CS, EN | MANY);
  for (let block = 1; block <= 6; block++) {
    const end = ((block * half - 1) * period) * CYCLE + CONVERSION;
    m.after(end - m.now - 10);
    assert.equal(m.pending(DMA_IRQ), false);
    m.after(20);
    assert.equal(m.pending(DMA_IRQ), true);
    m.write(INTS0, 3);
  }
});

test('a FIFO that nobody empties overflows', () => {
  const m = adc();
  m.write(FCS, FIFO_EN | DREQ_EN | threshold(1));
  m.write(DIV, 999 << 8);
  m.write(CS, EN | MANY);
  m.after(1e6);
  assert.equal(m.read(FCS) & OVER, OVER);
  assert.equal(m.level(), 4);
});
