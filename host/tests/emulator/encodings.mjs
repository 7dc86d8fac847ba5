// Every ARMv6-M instruction by its encoding (ARMv6-M ARM, chapter A5), independent of the core's own table, and random
// instances of them. What the manual calls UNPREDICTABLE is among them: there the core does what rp2040js does.

export const ENCODINGS = {
  'LSLS imm': '00000iiiiimmmddd', 'LSRS imm': '00001iiiiimmmddd', 'ASRS imm': '00010iiiiimmmddd',
  'ADDS reg': '0001100mmmnnnddd', 'SUBS reg': '0001101mmmnnnddd', 'ADDS imm3': '0001110iiinnnddd', 'SUBS imm3': '0001111iiinnnddd',
  'MOVS imm': '00100dddiiiiiiii', 'CMP imm': '00101nnniiiiiiii', 'ADDS imm8': '00110nnniiiiiiii', 'SUBS imm8': '00111nnniiiiiiii',
  ANDS: '0100000000mmmddd', EORS: '0100000001mmmddd', 'LSLS reg': '0100000010mmmddd', 'LSRS reg': '0100000011mmmddd',
  'ASRS reg': '0100000100mmmddd', ADCS: '0100000101mmmddd', SBCS: '0100000110mmmddd', RORS: '0100000111mmmddd',
  TST: '0100001000mmmnnn', RSBS: '0100001001nnnddd', 'CMP reg': '0100001010mmmnnn', CMN: '0100001011mmmnnn',
  ORRS: '0100001100mmmddd', MULS: '0100001101nnnddd', BICS: '0100001110mmmddd', MVNS: '0100001111mmmddd',
  'ADD any': '01000100dmmmmddd', 'CMP any': '01000101nmmmmnnn', 'MOV any': '01000110dmmmmddd',
  BX: '010001110mmmm000', BLX: '010001111mmmm000',
  'LDR literal': '01001tttiiiiiiii',
  'STR reg': '0101000mmmnnnttt', 'STRH reg': '0101001mmmnnnttt', 'STRB reg': '0101010mmmnnnttt', LDRSB: '0101011mmmnnnttt',
  'LDR reg': '0101100mmmnnnttt', 'LDRH reg': '0101101mmmnnnttt', 'LDRB reg': '0101110mmmnnnttt', LDRSH: '0101111mmmnnnttt',
  'STR imm': '01100iiiiinnnttt', 'LDR imm': '01101iiiiinnnttt', 'STRB imm': '01110iiiiinnnttt', 'LDRB imm': '01111iiiiinnnttt',
  'STRH imm': '10000iiiiinnnttt', 'LDRH imm': '10001iiiiinnnttt', 'STR sp': '10010tttiiiiiiii', 'LDR sp': '10011tttiiiiiiii',
  ADR: '10100dddiiiiiiii', 'ADD sp to reg': '10101dddiiiiiiii', 'ADD sp': '101100000iiiiiii', 'SUB sp': '101100001iiiiiii',
  SXTH: '1011001000mmmddd', SXTB: '1011001001mmmddd', UXTH: '1011001010mmmddd', UXTB: '1011001011mmmddd',
  PUSH: '10110100rrrrrrrr', 'PUSH LR': '10110101rrrrrrrr', CPSIE: '1011011001100010', CPSID: '1011011001110010',
  REV: '1011101000mmmddd', REV16: '1011101001mmmddd', REVSH: '1011101011mmmddd', POP: '10111100rrrrrrrr', 'POP PC': '10111101rrrrrrrr',
  BKPT: '10111110iiiiiiii', NOP: '1011111100000000', YIELD: '1011111100010000', WFE: '1011111100100000', WFI: '1011111100110000',
  SEV: '1011111101000000', STM: '11000nnnrrrrrrrr', LDM: '11001nnnrrrrrrrr',
  BEQ: '11010000iiiiiiii', BNE: '11010001iiiiiiii', BCS: '11010010iiiiiiii', BCC: '11010011iiiiiiii', BMI: '11010100iiiiiiii',
  BPL: '11010101iiiiiiii', BVS: '11010110iiiiiiii', BVC: '11010111iiiiiiii', BHI: '11011000iiiiiiii', BLS: '11011001iiiiiiii',
  BGE: '11011010iiiiiiii', BLT: '11011011iiiiiiii', BGT: '11011100iiiiiiii', BLE: '11011101iiiiiiii',
  UDF: '11011110iiiiiiii', SVC: '11011111iiiiiiii', B: '11100iiiiiiiiiii',
  BL: '11110siiiiiiiiii 11j1jiiiiiiiiiii',
  MSR: '111100111000nnnn 10001000xxxxxxxx', MRS: '1111001111101111 1000ddddxxxxxxxx',
  DSB: '1111001110111111 100011110100iiii', DMB: '1111001110111111 100011110101iiii', ISB: '1111001110111111 100011110110iiii',
  'UDF.W': '111101111111iiii 1010iiiiiiiiiiii',
  'undefined 32-bit': '11101iiiiiiiiiii iiiiiiiiiiiiiiii', 'undefined 32-bit, F8': '11111iiiiiiiiiii iiiiiiiiiiiiiiii',
  'undefined 32-bit, F0': '11110iiiiiiiiiii 0iiiiiiiiiiiiiii',
  'undefined 16-bit': '1011100iiiiiiiii', 'undefined CPS': '10110110011iiiii', 'undefined B1': '10110001iiiiiiii',
};
const SPECIAL_REGISTERS = [0, 1, 2, 3, 5, 6, 7, 8, 9, 16, 20, 20, 9, 8];

function instance(pattern, random) {
  const [first, second = ''] = pattern.split(' ').map((half) => parseInt(half.replace(/[^01]/g, () => String(random.below(2))), 2));
  return second === '' ? [first] : [first, second];
}

// One or two halfwords of a random instance.
export function randomInstruction(name, random) {
  const halves = instance(ENCODINGS[name], random);
  if (name === 'MSR' || name === 'MRS') halves[1] = (halves[1] & 0xff00) | random.pick(SPECIAL_REGISTERS);
  return halves;
}
