"""The config.yaml of a searched model gives that model again."""

from safetensors.torch import load_file

from automtl.final.run import run_training
from automtl.spec.load import load_spec


def test_config_yaml_gives_the_searched_weights_again(bundle_dir, tmp_path):
    spec = load_spec(bundle_dir / "config.yaml")
    study, _ = run_training(spec, tmp_path / "run", trained_on="train")
    (record,) = study.trials()
    again, exported = (
        load_file(path)
        for path in (study.weights_path(record.number), bundle_dir / "model.safetensors")
    )
    assert again.keys() == exported.keys()
    assert all(again[name].equal(exported[name]) for name in exported)
