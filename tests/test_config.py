"""Settings: who wins, what is refused, and that the program takes them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import typer.main
from program import called

from geoloc_cli.cli.app import app
from geoloc_cli.cli.config import settable
from geoloc_cli.config import Setting, defaults, ignored, read_settings, settings_file
from geoloc_cli.errors import ConfigError

KNOWN = {
    "locate": {"index": str, "top_k": int, "near": list, "quiet": bool, "workers": int, "fov_deg": float},
    "index build": {"index": str, "workers": int, "quiet": bool},
}


def settings(tmp_path: Path, text: str = "", **environment: str) -> dict[str, object]:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return defaults(KNOWN, read_settings(KNOWN, file, environment))


def test_from_the_weakest_to_the_strongest(tmp_path: Path) -> None:
    top, table = "workers = 1\n", "[locate]\nworkers = 2\n"
    assert settings(tmp_path) == {}
    assert settings(tmp_path, top) == {"locate": {"workers": 1}, "index": {"build": {"workers": 1}}}
    assert settings(tmp_path, top + table) == {"locate": {"workers": 2}, "index": {"build": {"workers": 1}}}
    found = settings(tmp_path, top + table, GEOLOC_WORKERS="3")
    assert found == {"locate": {"workers": 3}, "index": {"build": {"workers": 3}}}
    found = settings(tmp_path, top + table, GEOLOC_LOCATE_WORKERS="4", GEOLOC_WORKERS="3")
    assert found == {"locate": {"workers": 4}, "index": {"build": {"workers": 3}}}


def test_every_type_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    text = '[locate]\ntop-k = 7\nnear = ["1,2,3", "4,5,6km"]\nquiet = true\nfov_deg = 60\n[index.build]\nindex = "x"\n'
    expected = {"top_k": 7, "near": ["1,2,3", "4,5,6km"], "quiet": True, "fov_deg": 60.0}
    assert settings(tmp_path, text) == {"locate": expected, "index": {"build": {"index": "x"}}}
    environment = {
        "GEOLOC_LOCATE_TOP_K": "7",
        "GEOLOC_LOCATE_NEAR": "1,2,3 4,5,6km",
        "GEOLOC_LOCATE_QUIET": "yes",
        "GEOLOC_LOCATE_FOV_DEG": "60",
        "GEOLOC_INDEX_BUILD_INDEX": "x",
    }
    assert settings(tmp_path, **environment) == {"locate": expected, "index": {"build": {"index": "x"}}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[locate]\ntopk = 3", r"\[locate\] has no option 'topk'; did you mean 'top_k'\?"),
        ("worker = 3", r"there is no setting 'worker'; did you mean 'workers'\?"),
        ("[locat]\nindex = 'x'", r"there is no setting 'locat'; did you mean 'locate'\?"),
        ("[index.buld]\nindex = 'x'", r"there is no command \[index.buld\]; did you mean 'index build'\?"),
        ("[locate]\ntop_k = '3'", r"\[locate\] top_k is '3'; give a value of type int"),
        ("[locate]\ntop_k = true", r"\[locate\] top_k is True; give a value of type int"),
        ("[locate]\nquiet = 1", r"\[locate\] quiet is 1; give a value of type bool"),
        ("[locate]\nnear = [1, 2]", r"\[locate\] near is \[1, 2\]; give a text, or a list of texts"),
        ("locate = 3", r"there is no setting 'locate'"),
        ("zebra = 3", r"there is no setting 'zebra'; see `geoloc --help`"),
        ("workers = ", "cannot be read as settings"),
    ],
)
def test_a_wrong_file_is_named_with_its_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as caught:
        settings(tmp_path, text)
    assert str(tmp_path / "config.toml") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("GEOLOC_LOCATE_TOP_K", "many", "GEOLOC_LOCATE_TOP_K is 'many'; give a value of type int"),
        ("GEOLOC_LOCATE_QUIET", "perhaps", "GEOLOC_LOCATE_QUIET is 'perhaps'; give true or false"),
        ("GEOLOC_LOCATE_TOPK", "3", "no setting GEOLOC_LOCATE_TOPK; did you mean GEOLOC_LOCATE_TOP_K"),
    ],
)
def test_a_wrong_variable_is_named_with_its_remedy(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        settings(tmp_path, **{name: value})


def test_what_a_cluster_puts_into_the_environment_is_ignored_and_said(tmp_path: Path) -> None:
    # A service named "geoloc" gives every pod these.
    environment = {"GEOLOC_SERVICE_HOST": "10.0.0.1", "GEOLOC_PORT_80_TCP": "tcp://10.0.0.1:80", "GEOLOC_CONFIG": "x"}
    assert settings(tmp_path, **environment) == {}
    assert ignored(KNOWN, environment) == ["GEOLOC_PORT_80_TCP", "GEOLOC_SERVICE_HOST"]


def test_the_file_is_where_the_variable_says(tmp_path: Path) -> None:
    assert settings_file({"GEOLOC_CONFIG": str(tmp_path / "c.toml")}) == tmp_path / "c.toml"
    assert settings_file({}).name == "config.toml"


def test_a_secret_is_never_shown() -> None:
    assert Setting("locate", "vlm_api_key", "sk-12345", "GEOLOC_VLM_API_KEY").shown == "(secret)"
    assert Setting("locate", "keyboard", "de", "x").shown == "de"


def geoloc(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return called(*arguments, environment=environment)


def test_the_program_takes_its_settings_and_a_flag_wins(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[locate]\nindex = "{tmp_path}/from-file"\n')
    photo = str(tmp_path / "nothing.jpg")
    done = geoloc("locate", photo, GEOLOC_CONFIG=str(file))
    assert (done.returncode, done.stdout) == (3, "")
    assert f"There is no index at {tmp_path}/from-file" in done.stderr
    done = geoloc("locate", photo, GEOLOC_CONFIG=str(file), GEOLOC_LOCATE_INDEX=f"{tmp_path}/from-environment")
    assert f"There is no index at {tmp_path}/from-environment" in done.stderr
    done = geoloc("locate", photo, "--index", f"{tmp_path}/from-flag", GEOLOC_CONFIG=str(file))
    assert f"There is no index at {tmp_path}/from-flag" in done.stderr


def test_config_show_says_where_each_setting_stands(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("workers = 2\n[locate]\ntop-k = 9\n")
    said = json.loads(geoloc("config", "show", "--json", GEOLOC_CONFIG=str(file), GEOLOC_QUIET="1").stdout)
    assert said["file"] == str(file)
    assert said["settings"] == [
        {"command": None, "option": "workers", "value": "2", "source": str(file)},
        {"command": "locate", "option": "top_k", "value": "9", "source": f"{file} [locate]"},
        {"command": None, "option": "quiet", "value": "True", "source": "GEOLOC_QUIET"},
    ]
    shown = geoloc("config", "show", GEOLOC_CONFIG=str(file)).stdout
    assert "locate --top-k" in shown


def test_broken_settings_stop_every_command_with_one_sentence_but_not_help(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("wokers = 2\n")
    done = geoloc("backends", GEOLOC_CONFIG=str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"geoloc: {file}: there is no setting 'wokers'; did you mean 'workers'?\n"
    assert geoloc("--help", GEOLOC_CONFIG=str(file)).returncode == 0
    assert geoloc("locate", "--help", GEOLOC_CONFIG=str(file)).returncode == 0


def test_the_example_of_the_readme_is_understood(tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    example = readme.partition("## Settings")[2].partition("```toml\n")[2].partition("```")[0]
    known = settable(typer.main.get_command(app))
    file = tmp_path / "config.toml"
    file.write_text(example)
    found = defaults(known, read_settings(known, file, {}))
    assert found["locate"] == {"workers": 8, "cache": "/var/tmp/geoloc", "index": "indexes/seneca", "top_k": 20}
    assert found["index"]["build"] == {"workers": 8, "cache": "/var/tmp/geoloc", "quiet": True}
    variables = {
        "GEOLOC_WORKERS": "8",
        "GEOLOC_CACHE": "/var/tmp/geoloc",
        "GEOLOC_LOCATE_INDEX": "indexes/seneca",
        "GEOLOC_INDEX_BUILD_QUIET": "true",
        "GEOLOC_LOCATE_TOP_K": "20",
    }
    assert defaults(known, read_settings(known, tmp_path / "none", variables)) == found
