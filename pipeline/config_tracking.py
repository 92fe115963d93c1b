"""Configuration of cameras, detectors and tracks."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.config_edges import Table
from pipeline.video.address import kind_of

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
Share = Annotated[float, Field(ge=0, le=1)]


class CameraConfig(Table):
    """One camera."""

    name: str = Field(pattern=NAME, description="Its name: the stream's key.")
    url: str | None = Field(
        None,
        min_length=1,
        description="`rtsp://…`, `http://…` (MJPEG), `udp://…` (MPEG-TS), `/dev/video0`, or a "
        "file's path.",
    )
    url_env: str | None = Field(
        None,
        description="Name of an environment variable that holds the address in place of `url`, "
        "where it has a password.",
    )

    @model_validator(mode="after")
    def _has_an_address(self) -> CameraConfig:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("take one of url and url_env")
        if self.url_env is not None and not os.environ.get(self.url_env):
            raise ValueError(f"the environment variable {self.url_env} is not set")
        kind_of(self.address)
        return self

    @property
    def address(self) -> str:
        """Where it is; may hold a password."""
        return self.url or os.environ.get(self.url_env or "", "")


class CamerasSourceConfig(Table):
    """Pictures from cameras or video files."""

    type: Literal["cameras"]
    camera: list[CameraConfig] = Field(
        min_length=1, max_length=1024, description="The cameras: `[[pipeline.source.camera]]`."
    )
    pace: Literal["newest", "all"] = Field(
        "newest",
        description="`newest`: as live, a frame that comes while the last one waits takes its "
        "place; `all`: every frame of files, as fast as they are worked off.",
    )
    max_fps: float = Field(
        0.0, ge=0, description="Frames a second to use of each camera at most; 0 is all."
    )
    stall_s: float = Field(
        5.0, gt=0, description="A camera without a frame for so long is opened anew."
    )
    frozen_s: float = Field(
        60.0,
        ge=0,
        description="One whose picture stays the very same for so long, too; 0 is never.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> CamerasSourceConfig:
        names = [camera.name for camera in self.camera]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two cameras have the same name: {', '.join(twice)}")
        live = [camera.name for camera in self.camera if kind_of(camera.address) != "file"]
        if self.pace == "all" and live:
            raise ValueError(f'pace "all" is for files: {", ".join(live)} can\'t wait')
        return self


class DetectionsSourceConfig(Table):
    """Detections from MOT text files, in place of a detector."""

    type: Literal["detections"]
    path: str = Field(
        min_length=1,
        description="A MOT text file (may be .gz), or a folder of them: each is a camera.",
    )
    frame_rate: float = Field(30.0, gt=0, le=1000, description="Frames a second.")
    width: int = Field(1920, ge=1, le=65_535, description="Width of the picture in pixels.")
    height: int = Field(1080, ge=1, le=65_535, description="Its height.")


class DetectorConfig(Table):
    """What finds people in the pictures of cameras."""

    kind: Literal["hog", "onnx"] = Field(
        "hog", description="OpenCV's own people detector, or an ONNX model."
    )
    model: str | None = Field(None, description="The ONNX file.")
    layout: Literal["auto", "yolox", "yolov5", "yolov8", "boxes", "detr"] = Field(
        "auto", description="How the model puts its boxes out; `auto` tells by their shape."
    )
    input: Literal["auto", "bgr255", "rgb255", "rgb1"] = Field(
        "auto", description="What it takes: colours' order and range; `auto` goes by the layout."
    )
    classes: list[int] = Field(
        [0], min_length=1, description="Numbers of the classes to keep; in COCO 0 is a person."
    )
    min_score: Share = Field(0.1, description="Detections below this score are left out.")
    nms: Share = Field(0.6, description="Of boxes that overlap by more, the surest is kept.")
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where the ONNX model runs.")
    threads: int = Field(1, ge=1, le=256, description="Cores that it may use.")
    still: Share = Field(
        0.0,
        description="A picture of which no larger share changed since it was last looked at keeps "
        "its boxes; 0 looks at every picture.",
    )
    still_s: float = Field(2.0, gt=0, description="But one look in so long at least.")
    reid: str | None = Field(
        None, description="ONNX model that makes an appearance vector of a person's picture."
    )

    @model_validator(mode="after")
    def _model_fits(self) -> DetectorConfig:
        if (self.kind == "onnx") != (self.model is not None):
            raise ValueError('kind "onnx" needs model, and "hog" takes none')
        return self


class LineConfig(Table):
    """A line that tracks cross."""

    name: str = Field(pattern=NAME, description="Its name in the events.")
    camera: str | None = Field(None, description="Of this camera only; default: of each.")
    start: list[float] = Field(
        min_length=2,
        max_length=2,
        description="One end: shares of the picture's width and height, 0 to 1.",
    )
    end: list[float] = Field(
        min_length=2,
        max_length=2,
        description="The other; who crosses from its left to its right, looking along it, goes in.",
    )

    @model_validator(mode="after")
    def _has_length(self) -> LineConfig:
        if not all(0 <= share <= 1 for share in (*self.start, *self.end)):
            raise ValueError("start and end are shares of the picture, 0 to 1")
        if self.start == self.end:
            raise ValueError("start and end are the same point")
        return self


class TrackingConfig(Table):
    """From detections to tracks. Where a value is not given the model's own holds."""

    max_tracks: int = Field(128, ge=1, le=1024, description="Tracks of one camera at once.")
    max_detections: int = Field(
        256, ge=1, le=2048, description="Detections of one frame; the surest are kept."
    )
    appearance: int = Field(
        0,
        ge=0,
        le=4096,
        description="Numbers in an appearance vector, of `detector.reid` or of given detections; "
        "0 for none.",
    )
    max_gap_s: float = Field(
        5.0, gt=0, description="Tracks end where a camera had no frame for longer."
    )
    confident: float | None = Field(
        None, description="Detections from this score on are matched first."
    )
    weak: float | None = Field(None, description="From this score on to what is left then.")
    born: float | None = Field(None, description="From this score on one begins a track.")
    min_hits: int | None = Field(
        None, ge=1, description="Frames in a row until a track is reported."
    )
    max_misses: int | None = Field(
        None, ge=0, description="Frames without a detection until a track ends."
    )
    coast: int | None = Field(
        None, ge=0, description="Of these, so many are reported, with the predicted box."
    )
    report: Literal["detected", "estimated"] | None = Field(
        None,
        description="The box of a track that is seen: the detector's, or the model's estimate.",
    )
    gate: float | None = Field(
        None,
        gt=0,
        description="Detections farther from where a track is expected are not its: standard "
        "deviations of the prediction.",
    )
    overlap: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least overlap (IoU) of a confident detection with what is expected.",
    )
    weak_overlap: float | None = Field(None, ge=0, le=1, description="The same of a weak one.")
    recent: int | None = Field(
        None, ge=0, description="Weak ones go to tracks missed for so many frames at most."
    )
    born_overlap: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Most overlap of a new track with one that was seen that recently.",
    )
    motion_weight: float | None = Field(
        None, ge=0, le=1, description="What the distance counts beside the overlap."
    )
    appearance_weight: float | None = Field(
        None, ge=0, le=1, description="What appearance counts beside both, where there is one."
    )
    line: list[LineConfig] = Field(
        [], max_length=32, description="Lines to be crossed: `[[pipeline.tracking.line]]`."
    )

    @model_validator(mode="after")
    def _lines_differ(self) -> TrackingConfig:
        for at, one in enumerate(self.line):
            for other in self.line[:at]:
                both = one.camera == other.camera or None in (one.camera, other.camera)
                if both and one.name == other.name:
                    camera = one.camera or other.camera
                    where = f" of camera {camera!r}" if camera else ""
                    raise ValueError(f"there are two lines named {one.name!r}{where}")
        return self
