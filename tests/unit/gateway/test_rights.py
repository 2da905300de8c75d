"""What roles give to an rpc: models, and whose predictions of them."""

import pytest

from contract.access import PERMISSIONS, Permission
from contract.access_errors import PermissionDenied
from gateway.rights import EVERYTHING, Portion, Rights, rights_of

A, B = frozenset({"a"}), frozenset({"b"})
ALL = frozenset({"*"})
READING = PERMISSIONS["/predict.v1.PredictionService/GetPrediction"]
CANCELLING = PERMISSIONS["/predict.v1.PredictionService/CancelPrediction"]


def rights(asked: frozenset[Permission] = READING, **grants: frozenset[str]) -> Rights:
    """Of ann, whose one role has these grants."""
    role = {Permission(name): models for name, models in grants.items()}
    return rights_of("ann", [role], asked)


def test_with_predict_alone_one_reaches_ones_own() -> None:
    mine = rights(predict=A)
    assert mine.reach("a", "ann")
    assert not mine.reach("a", "bob")
    assert not mine.reach("a", "")
    assert not mine.reach("b", "ann")
    assert not mine.reach_all
    assert mine.portions() == [Portion(caller="ann", models=A)]
    assert mine.portions("a") == [Portion(caller="ann", models=None)]
    assert mine.portions("b") == []


def test_another_permission_reaches_everybodys_of_its_models() -> None:
    both = rights(predict=ALL, read=A)
    assert both.reach("a", "bob")
    assert not both.reach("b", "bob")
    assert both.reach("b", "ann")
    assert both.portions() == [Portion(caller=None, models=A), Portion(caller="ann", models=None)]
    assert both.portions("a") == [Portion(caller=None, models=None)]
    assert both.portions("b") == [Portion(caller="ann", models=None)]
    assert rights(predict=A, read=A).portions() == [Portion(caller=None, models=A)]


@pytest.mark.parametrize("everything", [EVERYTHING, rights(read=ALL), rights(predict=A, read=ALL)])
def test_all_models_are_all(everything: Rights) -> None:
    assert everything.reach_all
    assert everything.reach("any", "bob")
    assert everything.portions() == [Portion(caller=None, models=None)]
    everything.check("any")


def test_roles_add_up_and_give_nothing_but_what_the_rpc_asks_for() -> None:
    roles = [{Permission.READ: A}, {Permission.READ: B}, {Permission.RELEASE: ALL}]
    assert rights_of("ann", roles, READING).everybodys == A | B
    assert rights_of("ann", roles, CANCELLING).are_none
    assert rights_of("ann", [], READING).are_none
    assert rights_of("ann", [{Permission.READ: frozenset()}], READING).are_none


def test_what_is_refused_tells_the_same_of_any_model() -> None:
    for model in ("b", "nosuch"):
        with pytest.raises(PermissionDenied) as raised:
            rights(predict=A).check(model)
        assert raised.value.metadata == {"permission": "predict or read", "model": model}


def test_who_may_take_back_may_not_therefore_read() -> None:
    manager = rights(CANCELLING, manage=ALL, predict=ALL)
    assert manager.show_text("ann")
    assert not manager.show_text("bob")
    assert rights(read=ALL).show_text("bob")
    assert EVERYTHING.show_text("bob")
