// Every C option is the Raspberry Pi Pico's own, so that this image behaves as the stock one does.
#include "boards/RPI_PICO/mpconfigboard.h"

// os.uname().machine and the REPL's banner tell the two images apart.
#undef MICROPY_HW_BOARD_NAME
#define MICROPY_HW_BOARD_NAME "Wrench Pico"
