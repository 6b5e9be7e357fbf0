"""Synthetic image datasets from VRM avatars: posed, toon-shaded, truthfully captioned.

    import vrm_synth as vs

    avatar = vs.load("aki.vrm")
    with vs.Renderer() as renderer:
        frame = renderer.render(avatar, pose="wave", expressions={"happy": 1.0}, view="bust_front_level", size=768)
    frame.image.save("aki.png")

docs/python.md teaches it. Each name is imported when it is asked for, so that `import vrm_synth` costs milliseconds;
torch is imported by a call of `train` or `sample` alone.
"""

from __future__ import annotations

from vrm_synth.core.lazy_imports import lazily

TYPE_CHECKING = False  # what type checkers take for true; importing typing would take half of this package's import

if TYPE_CHECKING:
    from vrm_synth.annotation.annotate import Annotation
    from vrm_synth.api.avatars import demo_avatar, load
    from vrm_synth.api.cameras import frame_body
    from vrm_synth.api.captions import describe
    from vrm_synth.api.labeled_frame import LabeledFrame
    from vrm_synth.api.renderer import Renderer
    from vrm_synth.camera.camera import Camera
    from vrm_synth.camera.views import load_views
    from vrm_synth.caption.settings import CaptionSettings
    from vrm_synth.core.errors import VrmSynthError
    from vrm_synth.dataset.caption_dataset import caption_dataset
    from vrm_synth.dataset.dataset_handle import FinishedDataset, LoadedSample, open_dataset
    from vrm_synth.dataset.render_dataset import render_dataset
    from vrm_synth.facts.facts import Facts
    from vrm_synth.parts.overrides import PartOverrides
    from vrm_synth.pose.lookat import LookAtAngles
    from vrm_synth.pose.pose_files import load_pose
    from vrm_synth.pose.pose_library import Pose, load_poses
    from vrm_synth.render.base import Frame
    from vrm_synth.sampling.sample_model import sample
    from vrm_synth.shot.avatar_inputs import default_recipe
    from vrm_synth.shot.recipe import Recipe, load_recipe
    from vrm_synth.shot.render_options import RenderOptions
    from vrm_synth.shot.shot import Shot
    from vrm_synth.stage.light_types import Ambient, Light
    from vrm_synth.training.train_model import train
    from vrm_synth.vrm.avatar import Avatar

__version__ = "0.4.0"

__all__ = [
    "Ambient",
    "Annotation",
    "Avatar",
    "Camera",
    "CaptionSettings",
    "Facts",
    "FinishedDataset",
    "Frame",
    "LabeledFrame",
    "Light",
    "LoadedSample",
    "LookAtAngles",
    "PartOverrides",
    "Pose",
    "Recipe",
    "RenderOptions",
    "Renderer",
    "Shot",
    "VrmSynthError",
    "caption_dataset",
    "default_recipe",
    "demo_avatar",
    "describe",
    "frame_body",
    "load",
    "load_pose",
    "load_poses",
    "load_recipe",
    "load_views",
    "open_dataset",
    "render_dataset",
    "sample",
    "train",
]

_HOMES = {
    **dict.fromkeys(("demo_avatar", "load"), "api.avatars"),
    "frame_body": "api.cameras",
    "describe": "api.captions",
    "Annotation": "annotation.annotate",
    "LabeledFrame": "api.labeled_frame",
    "Renderer": "api.renderer",
    "Camera": "camera.camera",
    "load_views": "camera.views",
    "CaptionSettings": "caption.settings",
    "caption_dataset": "dataset.caption_dataset",
    "Facts": "facts.facts",
    "VrmSynthError": "core.errors",
    **dict.fromkeys(("FinishedDataset", "LoadedSample", "open_dataset"), "dataset.dataset_handle"),
    "render_dataset": "dataset.render_dataset",
    "LookAtAngles": "pose.lookat",
    "PartOverrides": "parts.overrides",
    "load_pose": "pose.pose_files",
    **dict.fromkeys(("Pose", "load_poses"), "pose.pose_library"),
    "Frame": "render.base",
    "sample": "sampling.sample_model",
    **dict.fromkeys(("Recipe", "load_recipe"), "shot.recipe"),
    "RenderOptions": "shot.render_options",
    "default_recipe": "shot.avatar_inputs",
    "Shot": "shot.shot",
    **dict.fromkeys(("Ambient", "Light"), "stage.light_types"),
    "train": "training.train_model",
    "Avatar": "vrm.avatar",
}

__getattr__ = lazily(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
