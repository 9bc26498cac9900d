"""Operations that move, merge, split or keep the axis of the rows.

A rule takes the arguments of an operation and one resulting tensor, and
returns where the rows are now, or None if unknown.
"""

from math import prod

from torch import Tensor

from ies_mm.losses.tracing.trace import Along, Given

ELEMENTWISE = frozenset(
    [
        'abs',
        'add',
        'addcmul',
        'and',
        'atan',
        'atan2',
        'bfloat16',
        'clamp',
        'clamp_max',
        'clamp_min',
        'clone',
        'contiguous',
        'cos',
        'detach',
        'div',
        'double',
        'elu',
        'eq',
        'exp',
        'expm1',
        'float',
        'float_power',
        'floor',
        'ge',
        'gelu',
        'gt',
        'half',
        'hardtanh',
        'iadd',
        'idiv',
        'imul',
        'int',
        'invert',
        'isub',
        'itruediv',
        'le',
        'leaky_relu',
        'lerp',
        'log',
        'log1p',
        'logit',
        'long',
        'lt',
        'maximum',
        'minimum',
        'mul',
        'multiply',
        'nan_to_num',
        'ne',
        'neg',
        'or',
        'pow',
        'radd',
        'rdiv',
        'reciprocal',
        'relu',
        'requires_grad',
        'rmul',
        'round',
        'rpow',
        'rsqrt',
        'rsub',
        'rtruediv',
        'sigmoid',
        'sign',
        'silu',
        'sin',
        'softplus',
        'sqrt',
        'square',
        'sub',
        'subtract',
        'tanh',
        'to',
        'true_divide',
        'truediv',
        'type',
        'type_as',
        'where',
    ]
)
"""Names of elementwise operations, which broadcast."""

ALONG_AN_AXIS = frozenset(
    [
        'all',
        'amax',
        'amin',
        'any',
        'argmax',
        'argmin',
        'cumsum',
        'log_softmax',
        'max',
        'mean',
        'min',
        'prod',
        'softmax',
        'sort',
        'std',
        'sum',
        'var',
    ]
)
"""Names of operations along one or several axes."""

ALONG_A_LATER_AXIS = frozenset(['norm', 'topk'])
"""The same, with another argument (p, k) before the axis."""


def elementwise(given: Given, result: Tensor) -> Along | None:
    """Elementwise, with broadcasting; all traced arguments must agree."""
    found: Along | None = None
    for seen in given.seen:
        if not isinstance(seen.trace, Along):
            return None
        axis = seen.trace.axis + result.dim() - len(seen.shape)
        own = seen.trace.at(axis)
        if axis < 0 or found not in (None, own):
            return None
        found = own
    # Broadcasting may have multiplied a single row.
    if found is None or result.shape[found.axis] != found.origin.rows:
        return None
    return found


def permute(given: Given, result: Tensor) -> Along:
    """``permute(dims)``, also with one argument per axis."""
    dims = given.args[1:] or given.kwargs['dims']
    order = dims[0] if isinstance(dims[0], list | tuple) else dims
    places = [dim % given.dims for dim in order]
    return given.along.at(places.index(given.along.axis))


def transpose(given: Given, result: Tensor) -> Along:
    """``transpose(dim0, dim1)``."""
    one = given.option(1, 'dim0') % given.dims
    other = given.option(2, 'dim1') % given.dims
    axis = given.along.axis
    return given.along.at({one: other, other: one}.get(axis, axis))


def reshape(given: Given, result: Tensor) -> Along | None:
    """Reshape: rows are kept, merged with other axes, or joined."""
    rows, axis = given.along.origin.rows, given.along.axis
    outer = given.seen[0].count(0, axis)
    inner = given.seen[0].count(axis + 1)
    before = 1
    for place, size in enumerate(result.shape):
        # An axis of size 1 before the rows, which begin at the next one.
        if size == 1 and before == outer and rows > 1:
            continue
        after = prod(list(result.shape)[place + 1 :])
        if before == outer and rows and size:
            found = _resized(given.along, size, rows, inner, after)
            return None if found is None else found.at(place)
        # Axes before the rows were merged into them: all rows repeat, once
        # per element of those axes.
        if before == 1 and size == outer * rows * (inner // max(after, 1)):
            each = given.along.origin.merged(inner // max(after, 1))
            return Along(each.repeated(outer), place)
        before *= size
    return None


def _resized(
    along: Along, size: int, rows: int, inner: int, after: int
) -> Along | None:
    """The rows' axis starts where it did, but now has ``size`` elements."""
    if size % rows == 0 and after * (size // rows) == inner:
        return Along(along.origin.merged(size // rows), 0)
    if rows % size == 0 and after == inner * (rows // size):
        joined = along.origin.joined(rows // size)
        return None if joined is None else Along(joined, 0)
    return None


def unsqueeze(given: Given, result: Tensor) -> Along:
    """``unsqueeze(dim)``."""
    dim = given.option(1, 'dim') % result.dim()
    return given.along.at(given.along.axis + (dim <= given.along.axis))


def squeeze(given: Given, result: Tensor) -> Along | None:
    """``squeeze()`` and ``squeeze(dim)``."""
    dim = given.option(1, 'dim')
    dims = range(given.dims) if dim is None else [dim % given.dims]
    gone = [d for d in dims if given.shape[d] == 1]
    if given.along.axis in gone:
        return None
    return given.along.at(
        given.along.axis - sum(d < given.along.axis for d in gone)
    )


def expand(given: Given, result: Tensor) -> Along | None:
    """``expand`` and ``expand_as`` along other axes than the rows'."""
    axis = given.along.axis + result.dim() - given.dims
    if result.shape[axis] != given.along.origin.rows:
        return None
    return given.along.at(axis)


def repeat(given: Given, result: Tensor) -> Along:
    """``repeat``, also along the rows."""
    axis = given.along.axis + result.dim() - given.dims
    times = result.shape[axis] // max(given.along.origin.rows, 1)
    return Along(given.along.origin.repeated(times), axis)


def along_an_axis(
    given: Given, result: Tensor, place: int = 1
) -> Along | None:
    """Operations along other axes than the rows', reduced or kept.

    Args:
        given (Given): The arguments.
        result (Tensor): What the operation returned.
        place (int): Position of the axis among the arguments. Defaults to 1.
    """
    dim = given.option(place, 'dim')
    if not given.alone or not isinstance(dim, int | tuple | list):
        return None
    dims = [d % given.dims for d in ([dim] if isinstance(dim, int) else dim)]
    if given.along.axis in dims:
        return None
    # With keepdim, or nothing is reduced, as by softmax.
    if result.dim() == given.dims:
        return given.along
    before = sum(d < given.along.axis for d in dims)
    return given.along.at(given.along.axis - before)


def row_by_row(given: Given, result: Tensor) -> Along | None:
    """Rows along the first axis; the other axes may change in any way."""
    # A second traced argument, such as predicted weights, may mix images.
    if given.along.axis or not given.alone or given.dims < 2:
        return None
    return given.along


def resample(given: Given, result: Tensor) -> Along | None:
    """Resize of images, (N, C, ...) with the rows in N or C."""
    if given.along.axis > 1 or not given.alone:
        return None
    return given.along
