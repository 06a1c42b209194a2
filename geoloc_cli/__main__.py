"""`python -m geoloc_cli` is `geoloc`."""

from geoloc_cli.cli.app import main

main()
