"""Clustered variances against DeLong's and Obuchowski's sums, and against leaving clusters out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plain_auc import plain_auc, plain_moves, plain_placements

from automtl.analysis.clusters import Clusters
from automtl.analysis.influence import influence


def moves(metric: str, labels, scores, groups=None) -> np.ndarray:
    """[S, G] of the scores [S, J]."""
    found = influence(metric, labels_J=labels, scores_SJ=scores)
    clusters = Clusters.of(found.sides_J, groups_J=groups)
    return np.stack([clusters.moves(rows_J) for rows_J in found.rows_SJ])


def covariance(metric: str, labels, scores, groups=None) -> np.ndarray:
    moves_SG = moves(metric, labels, scores, groups)
    return moves_SG @ moves_SG.T


# ---- the same, written as the papers write it ----------------------------------------------


def delong(labels: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The covariance of two AUCs: DeLong et al. 1988, eq. 5 and 6, term by term."""
    total = 0.0
    auc_a, auc_b = plain_auc(labels, a), plain_auc(labels, b)
    for of_a, of_b in zip(plain_placements(labels, a), plain_placements(labels, b), strict=True):
        s = sum((of_a[row] - auc_a) * (of_b[row] - auc_b) for row in of_a)
        total += s / (len(of_a) - 1) / len(of_a)
    return total


def obuchowski(labels: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray) -> float:
    """S10 / M + S01 / N + (S11 of a, b + S11 of b, a) / (M N): Obuchowski 1997, §2."""
    auc_a, auc_b = plain_auc(labels, a), plain_auc(labels, b)
    num_positive, num_negative = int((labels == 1).sum()), int((labels == 0).sum())
    of_a, of_b = plain_placements(labels, a), plain_placements(labels, b)
    s10 = s01 = s11 = 0.0
    with_positives = with_negatives = 0
    for name in set(groups):
        (v10_a, v01_a), (v10_b, v01_b) = (
            [
                sum(value - auc for row, value in placements.items() if groups[row] == name)
                for placements in of_both
            ]
            for of_both, auc in ((of_a, auc_a), (of_b, auc_b))
        )
        s10, s01 = s10 + v10_a * v10_b, s01 + v01_a * v01_b
        s11 += v10_a * v01_b + v10_b * v01_a
        with_positives += bool((labels[groups == name] == 1).any())
        with_negatives += bool((labels[groups == name] == 0).any())
    num_groups = len(set(groups))
    s10 *= with_positives / ((with_positives - 1) * num_positive)
    s01 *= with_negatives / ((with_negatives - 1) * num_negative)
    s11 *= num_groups / (num_groups - 1)
    return s10 / num_positive + s01 / num_negative + s11 / (num_positive * num_negative)


def pairs(scores: np.ndarray, covariance_of) -> list[list[float]]:
    return [[covariance_of(x, y) for y in scores] for x in scores]


few_values = st.integers(0, 4)  # many ties
two_columns = st.lists(st.tuples(st.booleans(), few_values, few_values), max_size=15).map(
    lambda rows: (
        np.array([0, 0, 1, 1, *(int(row[0]) for row in rows)]),
        np.array([[0, 1, 2, 3, *(row[1] for row in rows)], [3, 0, 1, 2, *(row[2] for row in rows)]])
        * 1.0,
    )
)


def made(num_rows: int = 60, num_groups: int = 12, *, seed: int = 0):
    """Two columns of scores; the first clusters are by far the largest."""
    rng = np.random.default_rng(seed)
    groups = (num_groups * rng.random(num_rows) ** 2).astype(int)
    labels = (rng.random(num_rows) < rng.random(num_groups)[groups]).astype(int)
    scores = labels + rng.normal(size=num_groups)[groups] + rng.normal(size=(2, num_rows))
    return labels, scores, groups


# ---- AUCs ----------------------------------------------------------------------------------


@given(two_columns)
def test_rows_drawn_alone_have_delongs_covariance(rows) -> None:
    labels, scores = rows
    expected = pairs(scores, lambda x, y: delong(labels, x, y))
    np.testing.assert_allclose(covariance("auc", labels, scores), expected, atol=1e-12)
    by_name = covariance("auc", labels, scores, np.arange(len(labels)))
    np.testing.assert_allclose(by_name, expected, atol=1e-12)


@pytest.mark.parametrize(("num_positive", "num_negative"), [(1, 1), (1, 3), (2, 2)])
def test_equal_clusters_have_obuchowskis_covariance(num_positive: int, num_negative: int) -> None:
    rng = np.random.default_rng(1)
    labels = np.tile([1] * num_positive + [0] * num_negative, 9)
    groups = np.repeat(np.arange(9), num_positive + num_negative)
    scores = labels + rng.normal(size=9)[groups] + rng.normal(size=(2, len(labels))).round()
    expected = pairs(scores, lambda x, y: obuchowski(labels, x, y, groups))
    np.testing.assert_allclose(covariance("auc", labels, scores, groups), expected, rtol=1e-9)
    # clusters of one class only: those with rows on a side are counted, not all
    apart = 2 * groups + labels
    expected = pairs(scores, lambda x, y: obuchowski(labels, x, y, apart))
    np.testing.assert_allclose(covariance("auc", labels, scores, apart), expected, rtol=1e-9)


def test_many_clusters_none_of_them_heavy_have_nearly_obuchowskis_variance() -> None:
    labels, scores, _ = made(400, 60)
    groups = np.random.default_rng(3).integers(0, 60, 400)
    ours = covariance("auc", labels, scores, groups)
    theirs = np.array(pairs(scores, lambda x, y: obuchowski(labels, x, y, groups)))
    np.testing.assert_allclose(ours, theirs, rtol=0.1)


def test_unequal_clusters_move_an_auc_by_the_plain_sums() -> None:
    labels, scores, groups = made()
    expected = [plain_moves(labels, column, groups) for column in scores]
    np.testing.assert_allclose(moves("auc", labels, scores, groups), expected, atol=1e-12)


def test_a_cluster_moves_an_auc_by_about_what_leaving_it_out_does() -> None:
    labels, scores, groups = made(400, 60)
    all_rows = plain_auc(labels, scores[0])
    left_out = [
        all_rows - plain_auc(labels[groups != name], scores[0][groups != name])
        for name in sorted(set(groups))
    ]
    np.testing.assert_allclose(moves("auc", labels, scores, groups)[0], left_out, atol=3e-3)
    assert np.std(left_out) > 3e-3


# ---- means ---------------------------------------------------------------------------------


def test_equal_clusters_of_a_mean_have_the_sandwich_of_g_over_g_less_1() -> None:
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(8), 5)
    labels, scores = rng.normal(size=40), rng.normal(size=(2, 40))
    errors = np.abs(scores - labels)
    around = errors - errors.mean(axis=1, keepdims=True)
    expected = np.zeros((2, 2))
    for name in range(8):
        sums = around[:, groups == name].sum(axis=1)
        expected += np.outer(sums, sums) / 40**2 * 8 / 7
    np.testing.assert_allclose(covariance("mae", labels, scores, groups), expected)


def test_unequal_clusters_of_a_mean_have_the_jackknifes_variance() -> None:
    _, scores, groups = made()
    labels = np.zeros(len(groups))
    errors = np.abs(scores[0])
    names = sorted(set(groups))
    left_out = [errors[groups != name].mean() - errors.mean() for name in names]
    expected = (len(names) - 1) / len(names) * sum(move**2 for move in left_out)
    assert covariance("mae", labels, scores[:1], groups)[0, 0] == pytest.approx(expected)


def test_rows_of_a_mean_drawn_alone_have_its_textbook_standard_error() -> None:
    _, scores, _ = made()
    variance = covariance("mae", np.zeros(60), scores[:1])[0, 0]
    assert variance == pytest.approx(np.abs(scores[0]).var(ddof=1) / 60)


# ---- both ----------------------------------------------------------------------------------


@given(st.sampled_from(["auc", "logloss", "mae", "rmse"]), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_the_names_of_clusters_do_not_count(metric: str, seed: int) -> None:
    labels, scores, groups = made(seed=1)
    scores = 1 / (1 + np.exp(-scores))
    order = np.random.default_rng(seed).permutation(len(labels))
    names = np.array([f"user {(7 * group) % 12}" for group in groups])
    np.testing.assert_allclose(
        covariance(metric, labels[order], scores[:, order], names[order]),
        covariance(metric, labels, scores, groups),
        rtol=1e-9,
    )


@pytest.mark.parametrize("metric", ["auc", "mae"])
def test_a_copy_of_every_row_in_its_cluster_says_nothing_new(metric: str) -> None:
    labels, scores, groups = made()
    np.testing.assert_allclose(
        covariance(metric, np.tile(labels, 2), np.tile(scores, 2), np.tile(groups, 2)),
        covariance(metric, labels, scores, groups),
    )


def test_a_column_has_with_itself_its_variance() -> None:
    labels, scores, groups = made()
    matrix = covariance("auc", labels, [scores[0], scores[0]], groups)
    assert matrix == pytest.approx(np.full((2, 2), matrix[0, 0]))
    assert matrix[0, 0] > 0


# ---- degrees of freedom, and what cannot be answered ---------------------------------------


def test_degrees_are_one_less_than_the_clusters_of_the_scarcer_side() -> None:
    sides = np.repeat([0, 1], [20, 5])
    assert Clusters.of(sides).degrees == pytest.approx(4)
    assert Clusters.of(np.zeros(20, dtype=int)).degrees == pytest.approx(19)
    pairs_of_rows = np.arange(20) // 2
    assert Clusters.of(np.zeros(20, dtype=int), groups_J=pairs_of_rows).degrees == pytest.approx(9)


def test_a_heavy_cluster_leaves_fewer_degrees() -> None:
    groups = np.repeat(np.arange(3), [4, 1, 1])
    clusters = Clusters.of(np.zeros(6, dtype=int), groups_J=groups)
    assert clusters.degrees == pytest.approx(max(1.0, 6**2 / (4**2 + 1 + 1) - 1))
    heavier = Clusters.of(np.zeros(102, dtype=int), groups_J=np.repeat([0, 1, 2], [100, 1, 1]))
    assert heavier.degrees == 1.0


@pytest.mark.parametrize(
    ("sides", "groups"),
    [([0], None), ([0, 0], [7, 7]), ([0, 1, 1], None), ([0, 0, 1, 1], [0, 1, 2, 2])],
)
def test_fewer_than_two_clusters_on_a_side_have_no_degrees(sides, groups) -> None:
    assert Clusters.of(np.array(sides), groups_J=groups).degrees is None


def test_every_row_needs_a_group() -> None:
    with pytest.raises(ValueError, match="groups: 3 for 2 rows; give one a row"):
        Clusters.of(np.array([0, 1]), groups_J=[1, 2, 3])
