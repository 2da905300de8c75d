from pmesh.stack.model_list import read_model_list


def test_every_model_with_values_is_listed_once_in_order() -> None:
    models = read_model_list()
    ids = [model.id for model in models]
    assert ids == sorted(set(ids))
    assert {"genre", "sentiment"} <= set(ids)
    assert all(model.description and len(model.labels) > 1 for model in models)
