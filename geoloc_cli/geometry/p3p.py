"""The pose of a calibrated camera from three points, for any number of triples at once and in closed form.

The distances of the points from the camera, d = (d0, d1, d2), satisfy three quadrics, d^T M_ij d = |X_i - X_j|^2. Two
combinations of these are homogeneous: conics A and B, whose four intersections are the solutions up to scale. A member
A + s B of their pencil that is a pair of lines (a root s of a cubic) meets the conics in those points, so that two
square roots are left (Persson and Nordberg, "Lambda Twist", ECCV 2018; Ding, Yang, Larsson, Olsson and Åström,
"Revisiting the P3P Problem", CVPR 2023, of which this is the plain form). Newton's steps on the three quadrics then
take off what the cancellation of digits has cost.

Inside, components come first and triples last, so that each number of all triples is one run of memory.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_POLISH = 2


def p3p(rays: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """rays: (..., 3, 3) directions in cam, points: (..., 3, 3) in map, one of three a row.

    Returns cam_from_map rotations (..., 4, 3, 3) and translations (..., 4, 3), and (..., 4) bool of those that are
    solutions: real, in front of the camera, of three points that are not in a line. The rest hold any numbers.
    """
    leading = rays.shape[:-2]
    y, x = (given.reshape(-1, 3, 3).permute(1, 2, 0).contiguous() for given in (rays, points))
    rotation, translation, valid = p3p_by_component(y, x)
    return (
        rotation.permute(3, 2, 0, 1).reshape(*leading, 4, 3, 3),
        translation.permute(2, 1, 0).reshape(*leading, 4, 3),
        valid.t().reshape(*leading, 4),
    )


def p3p_by_component(rays: Tensor, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """rays, points: (3 points, 3 axes, T). Returns rotations (3, 3, 4, T), translations (3, 4, T), valid (4, T)."""
    rays = rays * (rays * rays).sum(1, keepdim=True).rsqrt()
    cosine = torch.stack([(rays[i] * rays[j]).sum(0) for i, j in ((0, 1), (0, 2), (1, 2))])
    side1, side2 = points[1] - points[0], points[2] - points[0]
    square = torch.stack([(s * s).sum(0) for s in (side1, side2, side2 - side1)])
    unit = square.mean(0)
    square = square / unit
    depths = _depths(_directions(cosine, square), cosine, square)
    fits = _misfit(depths, cosine, square).abs().amax(0)
    depths = depths * unit.sqrt()
    seen = [depths[k] * rays[k][:, None] for k in range(3)]
    in_cam, in_map = _frame(seen[1] - seen[0], seen[2] - seen[0]), _frame(side1, side2)
    rotation = sum(in_cam[k][:, None] * in_map[k][None, :, None] for k in range(3))
    translation = seen[0] - (rotation * points[0][None, :, None]).sum(1)
    found = (depths > 0).all(0) & (fits < math.sqrt(torch.finfo(rays.dtype).eps))
    return rotation, translation, found & (rotation.sum((0, 1)) + translation.sum(0)).isfinite()


def _frame(a: Tensor, b: Tensor) -> Tensor:
    """(3, ...) two sides -> (3 vectors, 3, ...): the first side, what is left of the second, their normal; all unit."""
    a = a * (a * a).sum(0).rsqrt()
    b = b - (a * b).sum(0) * a
    b = b * (b * b).sum(0).rsqrt()
    return torch.stack([a, b, torch.linalg.cross(a, b, dim=0)])


def _directions(cosine: Tensor, square: Tensor) -> Tensor:
    """(3, T) -> (3, 4, T): where the two conics meet, each up to scale and sign; NaN where they do not."""
    m01, m02, m12 = cosine
    a, b = square[0] / square[2], square[1] / square[2]
    one, zero = torch.ones_like(a), torch.zeros_like(a)
    # Symmetric matrices as 00, 01, 02, 11, 12, 22.
    conic_a = torch.stack([one, -m01, zero, 1 - a, a * m12, -a])
    conic_b = torch.stack([one, zero, -m02, -b, b * m12, 1 - b])
    adjoint_a, adjoint_b = _adjoint(conic_a), _adjoint(conic_b)
    det_a, det_b = _trace(adjoint_a, conic_a) / 3, _trace(adjoint_b, conic_b) / 3
    # The cubic det(A + s B), from the end that is not near zero.
    swap = det_b.abs() < det_a.abs()
    conic_a, conic_b = torch.where(swap, conic_b, conic_a), torch.where(swap, conic_a, conic_b)
    adjoint_a, adjoint_b = torch.where(swap, adjoint_b, adjoint_a), torch.where(swap, adjoint_a, adjoint_b)
    c3, c0 = torch.where(swap, det_a, det_b), torch.where(swap, det_b, det_a)
    s = _real_root(_trace(adjoint_b, conic_a) / c3, _trace(adjoint_a, conic_b) / c3, c0 / c3)
    # On a line of the pair, either conic has the same zeros: the one that the pair holds less of has more digits.
    conic = torch.where(s.abs() > 1, conic_a, conic_b)
    lines = _lines(conic_a + s * conic_b)
    return _on_lines(lines, conic)


def _real_root(c2: Tensor, c1: Tensor, c0: Tensor) -> Tensor:
    """The real root of x^3 + c2 x^2 + c1 x + c0 that lies farthest from the others, polished by Newton's method."""
    shift = c2 / 3
    p = c1 / 3 - shift * shift
    q = (shift * (2 * shift * shift - c1) + c0) / 2
    discriminant = q * q + p * p * p
    # One real root: Cardano, with the sign that does not cancel.
    t = -torch.copysign((q.abs() + discriminant.clamp_min(0).sqrt()) ** (1 / 3), q)
    single = t - p / torch.where(t == 0, 1, t)
    # Three: Viète; of its largest and smallest, that which is farther from the middle one.
    r = (-p).clamp_min(0).sqrt()
    angle = torch.acos((-q / (r * r * r)).clamp(-1, 1).nan_to_num()) / 3
    largest, smallest = r * angle.cos(), r * (angle + 2 * math.pi / 3).cos()
    triple = 2 * torch.where(largest > -smallest, largest, smallest)
    x = torch.where(discriminant >= 0, single, triple) - shift
    for _ in range(_POLISH):
        slope = (3 * x + 2 * c2) * x + c1
        step = (((x + c2) * x + c1) * x + c0) / slope
        x = torch.where(step.abs() < x.abs() + 1, x - step, x)
    return x


def _lines(pair: Tensor) -> Tensor:
    """(6, T) symmetric of rank two -> (3, 2, T): its two lines; NaN where they are not real."""
    adjoint = -_adjoint(pair)
    diagonal = adjoint[[0, 3, 5]]
    columns = adjoint[[0, 1, 2, 1, 3, 4, 2, 4, 5]].unflatten(0, (3, 3))
    x, y, z = _at_largest(diagonal, columns) * diagonal.amax(0).rsqrt()
    m00, m01, m02, m11, m12, m22 = pair
    # With the cross product of where the lines meet, of rank one: a row and a column through a large entry are lines.
    rows = torch.stack([m00, m01 - z, m02 + y, m01 + z, m11, m12 - x, m02 - y, m12 + x, m22]).unflatten(0, (3, 3))
    size = rows.abs()
    row, column = _at_largest(size.amax(1), rows), _at_largest(size.amax(0), rows.transpose(0, 1))
    return torch.stack([row, column], 1)


def _at_largest(key: Tensor, values: Tensor) -> Tensor:
    """(3, T) and (3, 3, T): of the three vectors, that whose key is largest."""
    a, b, c = key
    return torch.where((a >= b) & (a >= c), values[0], torch.where(b >= c, values[1], values[2]))


def _on_lines(lines: Tensor, conic: Tensor) -> Tensor:
    """lines: (3, 2, T), conic: (6, T). Returns (3, 4, T): where they meet, up to scale; NaN where they do not.

    The points of a line are those orthogonal to it; its basis is that of Duff et al. 2017, free of branches.
    """
    x, y, z = lines * (lines * lines).sum(0).rsqrt()
    sign = torch.copysign(torch.ones_like(z), z)
    a = -1 / (sign + z)
    xa, xy = x * a, x * y * a
    u = torch.stack([1 + sign * x * xa, sign * xy, -sign * x])
    v = torch.stack([xy, sign + y * y * a, -y])
    mu, mv = _times(conic, u), _times(conic, v)
    uu, uv, vv = (u * mu).sum(0), (u * mv).sum(0), (v * mv).sum(0)
    q = -(uv + torch.copysign((uv * uv - uu * vv).sqrt(), uv))
    # uu alpha^2 + 2 uv alpha beta + vv beta^2 = 0 has the zeros (q : uu) and (vv : q).
    return torch.cat([q * u + uu * v, vv * u + q * v], 1)


def _depths(direction: Tensor, cosine: Tensor, square: Tensor) -> Tensor:
    """(3, 4, T) up to scale and sign -> the depths themselves, polished; negative or NaN where there are none."""
    d = torch.copysign(direction, direction * direction.sum(0))
    length = _misfit(d, cosine, torch.zeros_like(square)).sum(0)
    d = d * (square.sum(0) / length).sqrt()
    m01, m02, m12 = cosine
    for _ in range(_POLISH):
        e01, e02, e12 = _misfit(d, cosine, square) / 2
        d0, d1, d2 = d
        # Half the Jacobian: rows (a, b, 0), (c, 0, e), (0, f, g).
        a, b = d0 - m01 * d1, d1 - m01 * d0
        c, e = d0 - m02 * d2, d2 - m02 * d0
        f, g = d1 - m12 * d2, d2 - m12 * d1
        ef, bg, cg, af = e * f, b * g, c * g, a * f
        det = -(a * ef + c * bg)
        step = torch.stack(
            [
                (b * e * e12 - ef * e01 - bg * e02) / det,
                (a * (g * e02 - e * e12) - cg * e01) / det,
                (c * (f * e01 - b * e12) - af * e02) / det,
            ]
        )
        d = torch.where(step.abs() < d.abs(), d - step, d)
    return d


def _misfit(d: Tensor, cosine: Tensor, square: Tensor) -> Tensor:
    """(3, 4, T): the squared distances that depths make, less those that they should, (3, T)."""
    d0, d1, d2 = d
    square_of = d * d
    s0, s1, s2 = square_of
    twice = 2 * cosine
    return torch.stack(
        [
            s0 + s1 - twice[0] * d0 * d1 - square[0],
            s0 + s2 - twice[1] * d0 * d2 - square[1],
            s1 + s2 - twice[2] * d1 * d2 - square[2],
        ]
    )


def _times(conic: Tensor, v: Tensor) -> Tensor:
    """(6, T) symmetric times (3, 2, T)."""
    m00, m01, m02, m11, m12, m22 = conic
    x, y, z = v
    return torch.stack([m00 * x + m01 * y + m02 * z, m01 * x + m11 * y + m12 * z, m02 * x + m12 * y + m22 * z])


def _adjoint(m: Tensor) -> Tensor:
    """(6, T) symmetric -> (6, T): its cofactors."""
    m00, m01, m02, m11, m12, m22 = m
    return torch.stack(
        [
            m11 * m22 - m12 * m12,
            m02 * m12 - m01 * m22,
            m01 * m12 - m02 * m11,
            m00 * m22 - m02 * m02,
            m01 * m02 - m00 * m12,
            m00 * m11 - m01 * m01,
        ]
    )


def _trace(a: Tensor, b: Tensor) -> Tensor:
    """The trace of the product of two symmetric matrices, each (6, T)."""
    product = a * b
    return product[0] + product[3] + product[5] + 2 * (product[1] + product[2] + product[4])
