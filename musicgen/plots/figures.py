"""Empty figures, which notebooks show without pyplot."""

import functools
import io

from ..errors import missing_dependency


def new_figure(width, height):
    """An empty figure of so many inches; a notebook shows it as a picture.

    Raises
    ------
    MissingDependencyError
        If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise missing_dependency("matplotlib", "drawing pictures") from error
    return _shown(Figure)(figsize=(width, height), layout="constrained")


@functools.cache
def _shown(base):
    """A class of figures that IPython shows: those of matplotlib it knows only once pyplot has drawn one."""

    class ShownFigure(base):
        def _repr_png_(self):
            file = io.BytesIO()
            self.savefig(file, format="png", dpi=self.dpi)
            return file.getvalue()

    return ShownFigure
