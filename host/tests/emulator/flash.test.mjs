// The flash chip when its power goes in the middle of a page or of an erase.

import assert from 'node:assert/strict';
import test from 'node:test';
import { emulatorModule } from './machines.mjs';

const { FLASH_SIZE, SsiFlash } = await emulatorModule('flash.mjs');
const PROGRAM_NS = 400_000, ERASE_NS = 45_000_000, SECTOR = 4096, AT = 5 * SECTOR + 256;
const CS_LOW = 2, CS_HIGH = 3, SSI_DR0 = 0x60;

class Bare {
  constructor(cellSeed) {
    this.flash = new Uint8Array(FLASH_SIZE).fill(0xff);
    this.clock = { nanos: 1000, tick(ns) { this.nanos += ns; } };
    this.chip = new SsiFlash(this, { sector_erase_ns: ERASE_NS, block_erase_ns: 3 * ERASE_NS, page_program_ns: PROGRAM_NS, cell_seed: cellSeed });
  }
  command(...bytes) {
    this.chip.overrideChipSelect(CS_LOW);
    for (const byte of bytes) this.chip.writeUint32(SSI_DR0, byte);
    this.chip.overrideChipSelect(CS_HIGH);
  }
  address(at) { return [(at >> 16) & 255, (at >> 8) & 255, at & 255]; }
  program(at, bytes) { this.command(0x06); this.command(0x02, ...this.address(at), ...bytes); }
  erase(at) { this.command(0x06); this.command(0x20, ...this.address(at)); }
  wait(ns) { this.clock.tick(ns); }
  bits(from, size) { let n = 0; for (let i = 0; i < size; i++) for (let b = this.flash[from + i]; b; b &= b - 1) n++; return n; }
}

const PATTERN = Array.from({ length: 256 }, (_, i) => (i * 37) & 255);

test('a page is as it was asked for once its time is over', () => {
  const bare = new Bare();
  bare.program(AT, PATTERN);
  bare.wait(PROGRAM_NS);
  bare.chip.powerLost();
  assert.deepEqual([...bare.flash.subarray(AT, AT + 256)], PATTERN);
});

test('a page that is cut short has some of its bits, the more the later', () => {
  let before = 2049;
  for (const share of [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99]) {
    const bare = new Bare();
    bare.program(AT, PATTERN);
    bare.wait(PROGRAM_NS * share);
    bare.chip.powerLost();
    const bits = bare.bits(AT, 256);
    assert.ok(bits < before || share === 0, `${share}: ${bits} of ${before}`);
    before = bits;
    for (let i = 0; i < 256; i++) assert.equal(bare.flash[AT + i] & PATTERN[i], PATTERN[i]);      // no bit is cleared that should not be
    assert.equal(bare.bits(AT - 256, 256) + bare.bits(AT + 256, 256), 4096);
    if (share === 0) assert.equal(bits, 2048);
  }
});

test('bytes that a page leaves at 0xff keep what they had, cut or not', () => {
  const bare = new Bare(), half = PATTERN.map((byte, i) => (i < 128 ? byte : 0xff));
  bare.program(AT, PATTERN.map((byte, i) => (i < 128 ? 0xff : byte)));
  bare.wait(PROGRAM_NS);
  bare.program(AT, half);
  bare.wait(PROGRAM_NS / 2);
  bare.chip.powerLost();
  assert.deepEqual([...bare.flash.subarray(AT + 128, AT + 256)], PATTERN.slice(128));
});

test('an erase that is cut short first clears, then erases', () => {
  const seen = [];
  for (const share of [0.05, 0.15, 0.2, 0.4, 0.8, 0.999]) {
    const bare = new Bare();
    for (let page = 0; page < SECTOR; page += 256) { bare.program(5 * SECTOR + page, PATTERN); bare.wait(PROGRAM_NS); }
    bare.erase(5 * SECTOR);
    bare.wait(ERASE_NS * share);
    bare.chip.powerLost();
    seen.push(bare.bits(5 * SECTOR, SECTOR) / (8 * SECTOR));
    assert.equal(bare.bits(4 * SECTOR, SECTOR) + bare.bits(6 * SECTOR, SECTOR), 16 * SECTOR);
  }
  assert.ok(seen[0] > seen[1] && seen[1] > seen[2] && seen[2] < 0.01, String(seen));
  assert.ok(seen[3] > 0.2 && seen[3] < 0.3 && seen[4] > 0.7 && seen[4] < 0.8, String(seen));
  assert.ok(seen[5] > 0.99 && seen[5] < 1, String(seen));
});

test('the same cut leaves the same bits, and other cells others', () => {
  const cut = (seed) => {
    const bare = new Bare(seed);
    bare.program(AT, PATTERN);
    bare.wait(PROGRAM_NS / 2);
    bare.chip.powerLost();
    return Buffer.from(bare.flash.subarray(AT, AT + 256)).toString('hex');
  };
  assert.equal(cut(1), cut(1));
  assert.equal(cut(undefined), cut(1));
  assert.notEqual(cut(1), cut(2));
});

test('a chip at rest loses nothing', () => {
  const bare = new Bare();
  bare.program(AT, PATTERN);
  bare.wait(PROGRAM_NS + 1);
  bare.chip.powerLost();
  bare.chip.powerLost();
  assert.deepEqual([...bare.flash.subarray(AT, AT + 256)], PATTERN);
});
