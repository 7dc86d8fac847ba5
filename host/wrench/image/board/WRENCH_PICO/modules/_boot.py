# Mounts the filesystem on the front of the storage and leaves the raw tail alone.
# What exists is kept. A new filesystem is made only when none can be mounted: on an empty chip,
# and after the stock image, whose filesystem spans the tail as well (mounting it: OSError 22).
import machine  # noqa: F401  (left for the REPL, like the stock image does)
import rp2
import vfs
import wrench_image

bdev = rp2.Flash(start=0, len=wrench_image.RAW_START)
try:
    fs = vfs.VfsLfs2(bdev, progsize=256)
except OSError:
    vfs.VfsLfs2.mkfs(bdev, progsize=256)
    fs = vfs.VfsLfs2(bdev, progsize=256)
    wrench_image.formatted = True
vfs.mount(fs, "/")

del vfs, bdev, fs, wrench_image
