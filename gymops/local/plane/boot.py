"""Start the emulator: run as a script by the emulator's own Python, ``boot.py CONFIG``.

Only ``gymops`` itself comes from the installation that started this. Everything else comes from the
emulator's environment, whose versions are pinned and differ from ours.
"""

import importlib.util
import sys
from pathlib import Path


def _lend_gymops() -> None:
    package = Path(__file__).resolve().parents[2]
    spec = importlib.util.spec_from_file_location(
        "gymops", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(str(package))
    module = importlib.util.module_from_spec(spec)
    sys.modules["gymops"] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    _lend_gymops()
    from gymops.local.plane.main import main

    sys.exit(main(Path(sys.argv[1])))
