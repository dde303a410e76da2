"""`python -m pyjit_wasm`."""
import sys

from .cli import main

sys.exit(main())
