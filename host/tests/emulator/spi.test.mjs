// SPI as RP2040 datasheet section 4.4 has it: eight entries each way, at the pace of the bit clock.

import assert from 'node:assert/strict';
import test from 'node:test';
import { makeBlocks } from './blocks.mjs';
import { emulatorModule } from './machines.mjs';

const { SpiBus } = await emulatorModule('buses.mjs');
const { Pins } = await emulatorModule('pins.mjs');
const { Faults } = await emulatorModule('devices/faults.mjs');

const SPI = 0x4003c000, CR0 = SPI, CR1 = SPI + 4, DR = SPI + 8, SR = SPI + 12, CPSR = SPI + 16, RIS = SPI + 24;
const TFE = 1, TNF = 2, RNE = 4, RFF = 8, BSY = 16, OVERRUN = 1;
const CS = 17, SIO_OUT_SET = 0xd0000014, SIO_OUT_CLR = 0xd0000018, SIO_OE_SET = 0xd0000024;

function bus() {
  const m = makeBlocks(), pins = new Pins(m.rp2040, 0, []), seen = [];
  const device = { faults: new Faults(1), selected() { seen.push('down'); }, deselected() { seen.push('up'); }, spi(byte) { seen.push(byte); return byte ^ 0xff; } };
  m.rp2040.clkPeri = 125e6;
  m.write(CPSR, 2);
  m.write(CR0, (12 << 8) | 0xc7);                    // 125 MHz / (2 × 12.5) is not to be had: 125 / 26
  m.write(CR1, 2);
  m.write(0x4001408c, 5);                            // GPIO17: SIO
  m.write(SIO_OE_SET, 1 << CS);
  m.write(SIO_OUT_SET, 1 << CS);
  new SpiBus(m.rp2040, pins, 0).attach(device, CS);
  m.select = (low) => m.write(low ? SIO_OUT_CLR : SIO_OUT_SET, 1 << CS);
  return { ...m, device, seen, byte: 8 * 26 * 8 };
}

test('bytes go out one after another, flags follow', () => {
  const m = bus();
  m.select(true);
  assert.equal(m.read(SR), TFE | TNF);
  for (let i = 0; i < 7; i++) m.write(DR, i);
  assert.equal(m.read(SR), BSY | TNF);
  for (let i = 1; i <= 7; i++) {
    m.after(m.byte - 8);
    assert.equal(m.read(SR) & BSY, BSY);
    m.after(8);
    assert.equal(m.read(SR) & (BSY | RNE), (i < 7 ? BSY : 0) | RNE);
  }
  m.select(false);
  assert.deepEqual(m.seen, ['down', 0, 1, 2, 3, 4, 5, 6, 'up']);
  assert.deepEqual(Array.from({ length: 7 }, () => m.read(DR)), [0, 1, 2, 3, 4, 5, 6].map((x) => x ^ 0xff));
  assert.equal(m.read(SR), TFE | TNF);
});

test('eight entries fit each way, and one is in the shifter', () => {
  const m = bus();
  m.select(true);
  for (let i = 0; i < 9; i++) m.write(DR, i);
  assert.equal(m.read(SR) & TNF, 0);
  m.after(9 * m.byte + 8);
  assert.equal(m.read(SR) & RFF, RFF);
  assert.equal(m.read(RIS) & OVERRUN, OVERRUN);
  assert.deepEqual(Array.from({ length: 8 }, () => m.read(DR)), [0, 1, 2, 3, 4, 5, 6, 7].map((x) => x ^ 0xff));
});

test('nobody drives MISO: an absent device, and one that is not selected', () => {
  const m = bus(), exchange = (byte) => { m.write(DR, byte); m.after(m.byte + 8); return m.read(DR); };
  assert.equal(exchange(1), 0xff);
  m.select(true);
  assert.equal(exchange(1), 0xfe);
  for (const floats of [0xff, 0]) {
    m.device.faults.set({ absent: true, floats });
    assert.equal(exchange(1), floats);
  }
});

test('bit errors come as often as asked, the same ones each time', () => {
  const runs = [0, 1].map(() => {
    const m = bus();
    m.select(true);
    m.device.faults.set({ bit_errors: 0.1, seed: 5 });
    return Array.from({ length: 1000 }, () => { m.write(DR, 0); m.after(m.byte + 8); return m.read(DR); });
  });
  assert.deepEqual(runs[0], runs[1]);
  const wrong = runs[0].filter((byte) => byte !== 0xff).length;
  assert.ok(wrong > 150 && wrong < 230, `${wrong} of 1000: one in ten, both ways`);
  assert.throws(() => bus().device.faults.set({ absnet: true }), /absnet/);
});
