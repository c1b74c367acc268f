"""instil teaches a language model a domain, from a page of seed tasks to a model you can talk to.

Everything that the command line does, Python can do::

    recipe = instil.load_recipe(Path("recipe.yaml"))
    instil.execute(recipe, instil.run_dir_for(Path("recipe.yaml"), recipe))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from instil.pipeline import execute, plan, run_dir_for
    from instil.recipe import Recipe, load_recipe

__all__ = ["Recipe", "__version__", "execute", "load_recipe", "plan", "run_dir_for"]

_HOMES = {
    "Recipe": "instil.recipe",
    "execute": "instil.pipeline",
    "load_recipe": "instil.recipe",
    "plan": "instil.pipeline",
    "run_dir_for": "instil.pipeline",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `instil --help` loads none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'instil' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
