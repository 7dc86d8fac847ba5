// What the boot ROM does before the first instruction in flash, decided here: its own code for that needs more of the
// flash interface than there is. Its USB boot is then the real one, run from the ROM's words (datasheet section 2.8).

const FLASH_START = 0x10000000, SRAM_END = 0x20042000;
const SECOND_STAGE_BYTES = 252, POLYNOMIAL = 0x04c11db7;
const SCRATCH_MAGIC = 0xb007c0d3, SCRATCH_AT = 4;
const FUNCTION_TABLE_AT = 0x14, USB_BOOT = 0x4255;      // 'UB' (section 2.8.3)

// Where the core begins, as {pc, sp}: where the watchdog's scratch registers say (null after a power-up; section 2.8.1.1),
// in the USB boot where the button is held or the second stage in flash has a wrong sum, else in flash.
export function entry(rom, flash, scratch, buttonHeld) {
  const view = new DataView(flash.buffer, flash.byteOffset);
  if (scratch?.[SCRATCH_AT] === SCRATCH_MAGIC) {
    const [, key, sp, pc] = scratch.subarray(SCRATCH_AT);
    if ((key ^ -SCRATCH_MAGIC) >>> 0 === pc) return { pc: pc & ~1, sp };
  }
  const sum = view.getUint32(SECOND_STAGE_BYTES, true);
  if ((buttonHeld && !scratch) || crc32(flash.subarray(0, SECOND_STAGE_BYTES)) !== sum) {
    return { pc: functionAt(rom, USB_BOOT) & ~1, sp: SRAM_END };
  }
  return { pc: FLASH_START };
}

function functionAt(rom, name) {
  const half = (at) => (rom[at >> 2] >>> (8 * (at & 2))) & 0xffff;
  for (let at = half(FUNCTION_TABLE_AT); half(at); at += 4) if (half(at) === name) return half(at + 2);
  throw new Error('the boot ROM has no such function');
}

// As section 2.8.1.3.1 has it: most significant bit first, begun with all ones, not inverted.
function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum & 0x80000000 ? (sum << 1) ^ POLYNOMIAL : sum << 1;
  }
  return sum >>> 0;
}
