set(MICROPY_FROZEN_MANIFEST ${MICROPY_BOARD_DIR}/manifest_frozen.py)

# What runs at every call, attribute and USB packet is kept in RAM: a miss of the flash's cache costs
# some 50 cycles, and a wideband sensor leaves none over.
set(MICROPY_DEF_BOARD ${MICROPY_DEF_BOARD} MICROPY_OPT_MAP_LOOKUP_CACHE_SIZE=512)
set(WRENCH_IN_RAM
    argcheck bc binary cstack map nativeglue nlr nlrthumb obj objarray objboundmeth objcell objclosure
    objfun objint objtype qstr runtime scheduler smallint vm
    dcd_rp2040 machine_usb_device mp_usbd mp_usbd_runtime pairheap softtimer usbd
)

function(wrench_link)
    get_target_property(script ${MICROPY_TARGET} PICO_TARGET_LINKER_SCRIPT)
    file(READ ${script} text)
    set(files "")
    foreach(name IN LISTS WRENCH_IN_RAM)
        string(APPEND files " *${name}.c.o *${name}.c.obj")
    endforeach()
    string(REPLACE "*parse.c.obj)" "*parse.c.obj ${files})" changed "${text}")
    if(changed STREQUAL text)
        message(FATAL_ERROR "${script} has changed: what is kept in RAM is not found in it")
    endif()
    file(WRITE ${CMAKE_BINARY_DIR}/wrench.ld "${changed}")
    pico_set_linker_script(${MICROPY_TARGET} ${CMAKE_BINARY_DIR}/wrench.ld)
endfunction()

# The port sets its own script after it has read this file.
cmake_language(DEFER CALL wrench_link)
