// Blocks of the RP2040 that take the place of rp2040js's own, and what RESETS does to them.

import { Adc } from './adc.mjs';
import { DREQ_I2C, Dma } from './dma.mjs';
import { DwI2c } from './i2c.mjs';

const RESETS = 0x4000c, ADC = 0x4004c, DMA = 0x50000, I2C = [0x40044, 0x40048];
const I2C0_IRQ = 23;
const RESET_OFFSET = 0, RESET_ADC = 0, RESET_DMA = 2, RESET_I2C0 = 3;    // RESETS_RESET: offset, bits

// adcInputs: an AdcInputs; timeOffset: device time (ns) at which the chip's clock begins; rate: its crystal's.
export function installPeripherals(rp2040, adcInputs, timeOffset, rate) {
  const { peripherals } = rp2040;
  const dma = rp2040.dma = peripherals[DMA] = new Dma(rp2040);
  const adc = rp2040.adc = peripherals[ADC] = new Adc(rp2040, adcInputs, timeOffset, rate);
  rp2040.i2c = I2C.map((at, i) => {
    const dreq = { tx: DREQ_I2C + 2 * i, rx: DREQ_I2C + 2 * i + 1 };
    return peripherals[at] = new DwI2c(rp2040, `I2C${i}`, { irq: I2C0_IRQ + i, dreq });
  });

  // What these ask for was told to the DMA that they were made with.
  for (const spi of rp2040.spi) { spi.updateDMATx(); spi.updateDMARx(); }
  for (const pio of rp2040.pio) for (const machine of pio.machines) { machine.updateDMATx(); machine.updateDMARx(); }

  const resets = peripherals[RESETS], write = resets.writeUint32.bind(resets);
  const blocks = [[RESET_ADC, adc], [RESET_DMA, dma], ...rp2040.i2c.map((i2c, i) => [RESET_I2C0 + i, i2c])];
  resets.writeUint32 = (offset, value) => {
    if (offset === RESET_OFFSET) for (const [bit, block] of blocks) if ((value >>> bit) & 1) block.resetBlock();
    write(offset, value);
  };
}
