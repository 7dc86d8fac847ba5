from wrench_firmware import app

app.main()
