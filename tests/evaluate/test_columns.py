"""Which column is which: by the names of many tools, by the user's own, and what is said where it is not clear."""

from __future__ import annotations

import pytest

from geoloc_cli.errors import UsageError
from geoloc_cli.evaluate.columns import Role, find_columns, parse_columns

NEEDED = ("photo", "lat", "lon")


def found(header: str, role: Role = "predictions", **named: str) -> dict[str, str]:
    """Keys and the names of the columns that are taken for them."""
    names = header.split(",")
    columns = find_columns("t.csv", names, role, named, NEEDED, ("radius_m", "confidence"))
    return {key: names[column] for key, column in columns.items()}


@pytest.mark.parametrize(
    ("header", "photo", "lat", "lon"),
    [
        ("photo,status,reason,lat,lon,alt_m,radius_m,confidence,stage,error", "photo", "lat", "lon"),  # ours
        ("IMG_ID,AUTHOR,LAT,LON,S3_Label", "IMG_ID", "LAT", "LON"),  # IM2GPS3k, YFCC4k
        ("id,latitude,longitude,country", "id", "latitude", "longitude"),  # OpenStreetView-5M
        ("img_id,p_key,pred_class,pred_lat,pred_lng", "img_id", "pred_lat", "pred_lng"),  # GeoEstimation
        ("image,label_lat,label_long,predicted_lat,predicted_long", "image", "predicted_lat", "predicted_long"),
        ("SourceFile,GPSLatitude,GPSLongitude", "SourceFile", "GPSLatitude", "GPSLongitude"),  # ExifTool
        ("filename,prediction.lat,prediction.lng", "filename", "prediction.lat", "prediction.lng"),  # nested JSON
        ("key,lon,lat,unique_cluster", "key", "lat", "lon"),  # Mapillary SLS
        ("id,filename,Latitude , Longitude", "filename", "Latitude ", " Longitude"),
    ],
)
def test_the_names_of_other_tools_are_known(header: str, photo: str, lat: str, lon: str) -> None:
    assert {key: name for key, name in found(header).items() if key in NEEDED} == dict(
        zip(NEEDED, (photo, lat, lon), strict=True)
    )


def test_each_side_takes_its_own_columns_and_a_plain_one_stands_behind_it() -> None:
    both = "image,label_lat,label_long,predicted_lat,predicted_long"
    assert found(both)["lat"] == "predicted_lat"
    assert found(both, "truth")["lon"] == "label_long"
    assert found("image,lat,lon,pred_lat,pred_lon")["lat"] == "pred_lat"
    assert found("image,lat,lon,pred_lat,pred_lon", "truth")["lat"] == "lat"
    # A family without its longitude is none: the two come from one.
    assert found("image,lat,lon,pred_lat") | {"photo": ""} == {"photo": "", "lat": "lat", "lon": "lon"}


def test_what_is_there_beside_the_place_is_taken_too() -> None:
    assert found("photo,lat,lon,radius_m,conf") == {
        "photo": "photo",
        "lat": "lat",
        "lon": "lon",
        "radius_m": "radius_m",
        "confidence": "conf",
    }


def test_the_user_names_columns_and_nothing_else_is_guessed_for_them() -> None:
    assert found("who,y,x,lat", photo="who", lat="y", lon="x") == {"photo": "who", "lat": "y", "lon": "x"}
    assert found("Photo,My Lat,My-Lon", lat="my_lat", lon="My Lon")["lat"] == "My Lat"


@pytest.mark.parametrize(
    ("header", "role", "named", "words"),
    [
        ("photo,lat,latitude,lon", "predictions", {}, "'lat' and 'latitude', and each could be lat"),
        ("photo,pred_lat,predicted_lat,pred_lon", "predictions", {}, "--columns lat=pred_lat"),
        ("photo,gt_lat,true_lat,gt_lon", "truth", {}, "--columns truth.lat=gt_lat"),
        ("image,filename,lat,lon", "predictions", {}, "'image' and 'filename', and each could be photo"),
        ("photo,where", "predictions", {}, "no column for lat and lon; its columns are photo, where"),
        (
            "place,lat,lon",
            "truth",
            {},
            "no column for photo; its columns are place, lat, lon: name it, as in --columns truth.pho",
        ),
        ("photo,lat,lon", "predictions", {"lat": "lta"}, "no column 'lta' (did you mean 'lat'?)"),
        (
            "photo,lat,lon",
            "truth",
            {"lat": "nil"},
            "--columns names as truth.lat; its columns are photo, lat",
        ),
        ("photo,a,a,lon", "predictions", {"lat": "a"}, "2 columns 'a'"),
        ("photo,lat,lat,lon", "predictions", {}, "'lat' and 'lat', and each could be lat"),
    ],
)
def test_absence_and_ambiguity_are_one_sentence_with_the_header(
    header: str, role: Role, named: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=r"^t\.csv has ") as error:
        found(header, role, **named)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


def test_a_wide_header_is_not_listed_whole() -> None:
    with pytest.raises(UsageError, match="c19, and 80 more: name it"):
        found(",".join(f"c{n}" for n in range(100)))


def test_what_the_user_says_is_parted_by_side() -> None:
    said = parse_columns(["lat=a=b", "lon= x ", "truth.lat=label lat"])
    assert said == {"predictions": {"lat": "a=b", "lon": "x"}, "truth": {"lat": "label lat"}}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["lat"], "--columns lat is not KEY=NAME"),
        (["lat="], "write it as in lat=predicted_lat"),
        (["latt=x"], "no key 'latt' (did you mean lat?)"),
        (["truth.wo=x"], "no key 'wo'"),
        (["lat=a", "lat=b"], "names lat twice, 'a' and 'b'"),
    ],
)
def test_a_flag_that_names_nothing_is_refused(texts: list[str], words: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_columns(texts)
    assert words in str(error.value)
