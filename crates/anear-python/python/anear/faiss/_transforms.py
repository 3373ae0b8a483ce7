"""What turns vectors into other vectors before they are indexed."""

from __future__ import annotations

import operator
from typing import Any, SupportsIndex

import numpy as np

from .. import _native
from ._arrays import Float32Vector, Floats, Int32Vector, Vector, copy_array_to_vector, rows
from ._known import Known


class VectorTransform(Known):
    """What turns vectors of width `d_in` into vectors of width `d_out`."""

    is_trained = True
    verbose = False
    seed = 1234

    def __init__(self, d_in: SupportsIndex = 0, d_out: SupportsIndex = 0) -> None:
        """From width `d_in` to `d_out`."""
        self.d_in, self.d_out = operator.index(d_in), operator.index(d_out)
        self._made: _native.Transform | None = None

    def train(self, x: Any) -> None:
        """Learns from vectors like those to come.

        Raises:
            AssertionError: they have another width.
            RuntimeError: there are too few.
        """
        sample = rows(x, self.d_in)
        token = self._token()
        if token is not None:
            self._take(_native.Transform.train(token, sample, self.seed % (1 << 64)))
        self.is_trained = True

    def apply(self, x: Any) -> Floats:
        """The images of vectors.

        Raises:
            AssertionError: they have another width.
            RuntimeError: it is not trained.
        """
        return self._live.apply(rows(x, self.d_in))

    def apply_py(self, x: Any) -> Floats:
        """`apply`, under another name."""
        return self.apply(x)

    def reverse_transform(self, x: Any) -> Floats:
        """Vectors that have these as their images; what was lost stays lost.

        Raises:
            AssertionError: they have another width.
            RuntimeError: it is not trained, or there is no way back.
        """
        return self._live.reverse(rows(x, self.d_out))

    def check_identical(self, other: VectorTransform) -> None:
        """Raises RuntimeError if another transform does something else."""
        probe = np.random.RandomState(1).rand(8, self.d_in).astype(np.float32)
        same = type(self) is type(other) and (self.d_in, self.d_out) == (other.d_in, other.d_out)
        if not same or not np.array_equal(self.apply(probe), other.apply(probe)):
            raise RuntimeError("the transforms differ")

    def _token(self) -> str | None:
        """What trains it in the engine; None where there is nothing to train."""
        return None

    def _build(self) -> _native.Transform:
        """The transform of the engine, of what this one shows."""
        raise RuntimeError(f"{type(self).__name__} is not made for that")

    def _take(self, made: _native.Transform) -> None:
        """Shows what was learned."""
        self._made = made

    @property
    def _live(self) -> _native.Transform:
        if not self.is_trained:
            raise RuntimeError(f"{type(self).__name__}: 'is_trained' failed; call train(x) first")
        if self._made is None:
            self._made = self._build()
        return self._made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.d_in} -> {self.d_out}>"


class LinearTransform(VectorTransform):
    """`A x + b`; `A` and `b` can be set, see `copy_array_to_vector`."""

    def __init__(self, din: SupportsIndex = 0, dout: SupportsIndex = 0, have_bias_in: bool = False) -> None:
        """From width `din` to `dout`."""
        super().__init__(din, dout)
        self.have_bias = bool(have_bias_in)
        self.A: Vector = Float32Vector()
        self.b: Vector = Float32Vector()
        self.is_trained = False
        self.is_orthonormal = False
        self._made_of = (self.A._values, self.b._values)

    def set_is_orthonormal(self) -> None:
        """Looks whether the rows of `A` are of length 1 and at right angles."""
        matrix = self.A._values.reshape(self.d_out, self.d_in)
        if self.d_out > self.d_in:
            matrix = matrix.T
        self.is_orthonormal = bool(np.allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=4e-5))

    def transform_transpose(self, x: Any) -> Floats:
        """`A^T (x - b)`."""
        images = rows(x, self.d_out)
        images = images - self.b._values if self.have_bias else images
        return np.ascontiguousarray(images @ self.A._values.reshape(self.d_out, self.d_in), dtype=np.float32)

    def reverse_transform(self, x: Any) -> Floats:
        """Vectors that have these as their images, if the transform is a rotation.

        Raises:
            RuntimeError: it is none.
        """
        return super().reverse_transform(x)

    def _take(self, made: _native.Transform) -> None:
        super()._take(made)
        for name, values in made.learned().items():
            setattr(self, name, Float32Vector(values))
        self.have_bias = bool(self.b.size())
        self.is_trained = True
        self.set_is_orthonormal()
        self._made_of = (self.A._values, self.b._values)

    @property
    def _live(self) -> _native.Transform:
        if not self.is_trained:
            raise RuntimeError(f"{type(self).__name__}: 'is_trained' failed; call train(x) first")
        if self._made is None or self._made_of[0] is not self.A._values or self._made_of[1] is not self.b._values:
            self._made = self._build()
            self._made_of = (self.A._values, self.b._values)
        return self._made

    def _build(self) -> _native.Transform:
        if self.A.size() != self.d_out * self.d_in:
            raise RuntimeError(f"A has {self.A.size()} numbers, {self!r} needs {self.d_out * self.d_in}")
        matrix = np.ascontiguousarray(self.A._values.reshape(self.d_out, self.d_in))
        bias = self.b._values if self.have_bias else np.empty(0, np.float32)
        return _native.Transform.linear(matrix, bias)


class RandomRotationMatrix(LinearTransform):
    """A random rotation."""

    def __init__(self, din: SupportsIndex = 0, dout: SupportsIndex = 0) -> None:
        """From width `din` to `dout`."""
        super().__init__(din, dout)

    def init(self, seed: SupportsIndex) -> None:
        """Draws the rotation."""
        nothing = np.empty((0, self.d_in), np.float32)
        self._take(_native.Transform.train(f"RR{self.d_out}", nothing, operator.index(seed) % (1 << 64)))

    def train(self, x: Any) -> None:
        """Draws the rotation, whatever `x` is."""
        self.init(12345)


class PCAMatrix(LinearTransform):
    """The principal components with the largest variance."""

    epsilon = 0.0
    balanced_bins = 0
    max_points_per_d = 1000

    def __init__(
        self,
        din: SupportsIndex = 0,
        dout: SupportsIndex = 0,
        eigen_power_in: float = 0,
        random_rotation_in: bool = False,
    ) -> None:
        """From width `din` to `dout`; scaled by a power of the eigenvalues, or rotated."""
        super().__init__(din, dout, True)
        self.eigen_power, self.random_rotation = float(eigen_power_in), bool(random_rotation_in)
        self.mean: Vector = Float32Vector()
        self.eigenvalues: Vector = Float32Vector()
        self.PCAMat: Vector = Float32Vector()

    def _token(self) -> str:
        if self.random_rotation and self.eigen_power not in (0.0, -0.5):
            raise RuntimeError(f"rotated components are scaled by the power 0 or -0.5, not {self.eigen_power}")
        return f"PCA{'W' * (self.eigen_power == -0.5)}{'R' * self.random_rotation}{self.d_out}"

    def _take(self, made: _native.Transform) -> None:
        super()._take(made)
        if self.eigen_power not in (0.0, -0.5):
            self.prepare_Ab()

    def copy_from(self, other: PCAMatrix) -> None:
        """Takes over what another one learned; it may keep fewer components."""
        assert self.d_in == other.d_in, f"expected width {self.d_in}, got {other.d_in}"
        self.mean, self.eigenvalues, self.PCAMat = other.mean, other.eigenvalues, other.PCAMat
        self.prepare_Ab()

    def prepare_Ab(self) -> None:
        """Makes `A` and `b` of the mean, the eigenvalues and the components."""
        components = self.PCAMat._values.reshape(-1, self.d_in)[: self.d_out]
        scale = (self.eigenvalues._values[: self.d_out] + self.epsilon) ** self.eigen_power
        matrix = components * scale[:, None]
        self.A = Float32Vector(matrix)
        self.b = Float32Vector(-(matrix @ self.mean._values))
        self.have_bias = self.is_trained = True
        self.set_is_orthonormal()


class OPQMatrix(LinearTransform):
    """The rotation with which a product quantizer of `M` parts loses least."""

    niter = 50
    niter_pq = 4
    niter_pq_0 = 40
    max_train_points = 65536
    pq: Any = None

    def __init__(self, d: SupportsIndex = 0, M_in: SupportsIndex = 1, d2: SupportsIndex = -1) -> None:
        """From width `d` to `d2`, or `d` if that is -1."""
        super().__init__(d, d if operator.index(d2) == -1 else d2)
        self.M = operator.index(M_in)

    def _token(self) -> str:
        return f"OPQ{self.M}_{self.d_out}"


class ITQMatrix(LinearTransform):
    """The rotation with which signs lose least."""

    max_iter = 50

    def __init__(self, d: SupportsIndex = 0) -> None:
        """For vectors of width `d`."""
        super().__init__(d, d)

    def _token(self) -> str:
        return f"ITQ{self.d_out}"

    def _take(self, made: _native.Transform) -> None:
        """Shows the rotation, without the mean that was taken away before."""
        self.A, self.is_trained = Float32Vector(made.learned()["A"]), True
        self.set_is_orthonormal()


class ITQTransform(VectorTransform):
    """Unit vectors around the mean, turned so that signs lose least."""

    def __init__(self, din: SupportsIndex = 0, dout: SupportsIndex = 0, do_pca_in: bool = False) -> None:
        """From width `din` to `dout`."""
        super().__init__(din, dout)
        self.do_pca = bool(do_pca_in)
        self.pca_then_itq = LinearTransform(din, dout)
        self.mean: Vector = Float32Vector()
        self.is_trained = False

    def _token(self) -> str:
        return f"ITQ{self.d_out}"

    def _take(self, made: _native.Transform) -> None:
        super()._take(made)
        learned = made.learned()
        self.mean = Float32Vector(learned["mean"])
        self.pca_then_itq.A, self.pca_then_itq.is_trained = Float32Vector(learned["A"]), True


class NormalizationTransform(VectorTransform):
    """Vectors of length 1."""

    def __init__(self, d: SupportsIndex = 0, norm: float = 2.0) -> None:
        """For vectors of width `d`.

        Raises:
            RuntimeError: the norm is not 2.
        """
        super().__init__(d, d)
        self.norm = float(norm)
        if self.norm != 2.0:
            raise RuntimeError(f"lengths are measured by the norm 2, got {norm}")

    def reverse_transform(self, x: Any) -> Floats:
        """The vectors as they are: their lengths are lost."""
        return rows(x, self.d_out).copy()

    def _build(self) -> _native.Transform:
        return _native.Transform.train("L2norm", np.empty((0, self.d_in), np.float32), 0)


class CenteringTransform(VectorTransform):
    """Vectors without their mean."""

    def __init__(self, d: SupportsIndex = 0) -> None:
        """For vectors of width `d`."""
        super().__init__(d, d)
        self.mean: Vector = Float32Vector()
        self.is_trained = False

    def _token(self) -> str:
        return "Center"

    def _take(self, made: _native.Transform) -> None:
        super()._take(made)
        self.mean = Float32Vector(made.learned()["mean"])

    def _build(self) -> _native.Transform:
        return _native.Transform.center(self.mean._values)


class RemapDimensionsTransform(VectorTransform):
    """Components in another order, or zeros."""

    def __init__(self, din: SupportsIndex = 0, dout: SupportsIndex = 0, uniform_or_map: Any = True) -> None:
        """From width `din` to `dout`: spread evenly or not, or by the positions in an array."""
        super().__init__(din, dout)
        self.map: Vector = Int32Vector()
        if isinstance(uniform_or_map, (bool, int, np.bool_)):
            self.map = Int32Vector(_remapped(self.d_in, self.d_out, bool(uniform_or_map)))
        else:
            copy_array_to_vector(np.ascontiguousarray(uniform_or_map, dtype=np.int32), self.map)

    def _build(self) -> _native.Transform:
        return _native.Transform.remap(self.d_in, self.map._values)


def _remapped(d_in: int, d_out: int, uniform: bool) -> list[int]:
    """Which component each place gets; -1 is a zero."""
    if not uniform:
        return [place if place < d_in else -1 for place in range(d_out)]
    if d_in <= d_out:
        places = [-1] * d_out
        for component in range(d_in):
            places[component * d_out // d_in] = component
        return places
    return [place * d_in // d_out for place in range(d_out)]


class HadamardRotation(VectorTransform):
    """A random rotation that costs `d log d`."""

    def __init__(self, d: SupportsIndex = 0, seed: SupportsIndex = 12345) -> None:
        """For vectors of width `d`; the images are as wide as the next power of two."""
        width = operator.index(d)
        super().__init__(width, 1 << max(width - 1, 0).bit_length())
        self.seed = operator.index(seed)

    def _build(self) -> _native.Transform:
        return _native.Transform.train(f"HR{self.seed}", np.empty((0, self.d_in), np.float32), 0)


class VectorTransformVector(list[VectorTransform]):
    """Transforms, the first first."""

    def size(self) -> int:
        """How many there are."""
        return len(self)

    def at(self, n: SupportsIndex) -> VectorTransform:
        """Transform `n`."""
        return self[operator.index(n)]

    def push_back(self, transform: VectorTransform) -> None:
        """Adds a transform behind the others."""
        self.append(transform)


def transform_around(made: _native.Transform) -> VectorTransform:
    """An object of Faiss's class around a transform of the engine."""
    name = made.token.partition("_")[0]
    kind = name.rstrip("0123456789")
    if kind.startswith("PCA"):
        transform: VectorTransform = PCAMatrix(made.d_in, made.d_out, -0.5 if "W" in kind else 0.0, "R" in kind)
    elif kind == "OPQ":
        transform = OPQMatrix(made.d_in, int(name.removeprefix("OPQ")), made.d_out)
    elif kind == "ITQ":
        transform = ITQTransform(made.d_in, made.d_out, made.d_in != made.d_out)
    elif kind == "HR":
        transform = HadamardRotation(made.d_in, int(name.removeprefix("HR") or 12345))
    elif kind in ("Pad", "Remap"):
        transform = RemapDimensionsTransform(made.d_in, made.d_out, made.learned()["map"].astype(np.int32))
    elif kind in ("L2norm", "Center"):
        transform = (NormalizationTransform if kind == "L2norm" else CenteringTransform)(made.d_in)
    else:
        transform = (RandomRotationMatrix if kind == "RR" else LinearTransform)(made.d_in, made.d_out)
    transform._take(made)
    transform.is_trained = True
    return transform


def downcast_VectorTransform(transform: VectorTransform) -> VectorTransform:
    """The transform itself: it is of its own class already."""
    return transform
