import wrench_loader

from wrench_firmware import app

app.main(wrench_loader.release)
