"""The pyrender backend: PBR and flat shading, for comparison and as a fallback.

Drawn: the posed meshes (skinned and morphed on the CPU), base colour, emission, metallic and
roughness, alpha modes, double-sided materials, perspective and orthographic cameras, one directional
and one ambient light. MToon is drawn flat: lit colour times all light. Left out: MToon's
shade, rim, matcap and outlines, normal maps, UV animation; textures other than the base colour's are
read at the base colour's UVs. Edges are always 4× multisampled (pyrender has no other way), and
`supersample` comes on top.

Not pyrender's `OffscreenRenderer`: its `delete()` calls eglTerminate, after which every other OpenGL
context of the process silently reads zeros. Here a context made with pyrender's EGL platform is current
only while drawing, and is destroyed without ending the display that it shares with others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrm_synth.core.errors import RenderError
from vrm_synth.core.transforms import compose, quat_between
from vrm_synth.pose.posed_avatar import PosedAvatar
from vrm_synth.render.base import Draw, Frame, View
from vrm_synth.render.geometry_buffer import VisibleSurface
from vrm_synth.render.gl.draw_order import draw_order
from vrm_synth.render.pyrender_import import EGL, GL, ShaderProgramCache, pyrender, pyrender_egl
from vrm_synth.render.pyrender_meshes import PosedMesh, TextureCache, posed_meshes
from vrm_synth.render.system import explain_missing_gl, find_fault

_SHADERS = Path(__file__).resolve().parent / "pyrender_shaders"
_FLAGS = pyrender.RenderFlags.RGBA | pyrender.RenderFlags.OFFSCREEN
REQUIRED_GL = (4, 1)  # what pyrender asks EGL for
_SHADING = {"unlit": 0, "mtoon": 1, "pbr": 2}


class PyrenderBackend:
    """A RenderBackend (render/base.py). device: index of the EGL device.

    Raises RenderError where there is no such device or no context can be made on it.
    """

    def __init__(self, device: int = 0):
        try:
            devices = pyrender_egl.query_devices()
        except RuntimeError:  # EGL without the extension that lists them
            devices = []
        if not 0 <= device < len(devices):
            raise _cannot_start(device, IndexError("EGL finds no device"))
        self._platform = _Platform(1, 1, devices[device])
        try:
            with self._platform.current():
                self._device = f"{_gl_string(GL.GL_RENDERER)}, OpenGL {_gl_string(GL.GL_VERSION)}, pyrender"
                self._limit = min(
                    int(GL.glGetIntegerv(n)) for n in (GL.GL_MAX_RENDERBUFFER_SIZE, GL.GL_MAX_TEXTURE_SIZE)
                )
                self._drawer = _Drawer()
        except (AssertionError, GL.GLError, EGL.EGLError) as e:  # what pyrender's platform and PyOpenGL raise
            raise _cannot_start(device, e) from e
        self._textures = TextureCache()

    @property
    def device(self) -> str:
        """The driver's own name and version."""
        return self._device

    def render(self, posed: PosedAvatar, view: View) -> Frame:
        """Draw one picture.

        Raises RenderError where it is larger than the driver can draw, or where the view asks for a geometry buffer or
        labels, which pyrender cannot draw.
        """
        if view.buffers.geometry is not None or view.buffers.depth_layers or view.buffers.vertex_labels is not None:
            raise RenderError("pyrender draws no geometry buffer", allowed="the gl renderer")
        width, height = (side * view.supersample for side in view.size)
        if max(width, height) > self._limit:
            raise RenderError(
                "picture larger than the driver can draw",
                got=f"{view.size[0]}×{view.size[1]} at supersample {view.supersample}",
                allowed=f"up to {self._limit} pixels a side",
            )
        meshes = _in_order(posed_meshes(posed, self._textures, view.mipmaps), view)
        scene, self._drawer.draw_order = _scene(meshes, view)
        self._drawer.viewport_width, self._drawer.viewport_height = width, height
        self._drawer.toward_viewer = _toward_viewer(view)
        self._drawer.ground = _ambient(view)[1]
        with self._platform.current():
            black, metres = self._draw(scene, 0.0)
            # pyrender blends alpha with the colours' factors, which loses coverage: where something
            # blends, coverage is what a second drawing on white does not let through.
            if any(m.material.alpha_mode == "BLEND" for m in meshes):
                coverage = 1.0 - (self._draw(scene, 1.0)[0] - black)[..., :3].mean(-1, keepdims=True)
            else:
                coverage = black[..., 3:]
        order: tuple[Draw, ...] = tuple((*m.names, "surface") for m in meshes)
        surface = VisibleSurface(_sampled_depth(metres, view)) if view.buffers.surface else None
        return Frame(_finish(black[..., :3], coverage, view), order, surface)

    def close(self) -> None:
        """Free everything, the context last."""
        with self._platform.current():
            self._drawer.delete()
        self._platform.delete_context()

    def _draw(self, scene: pyrender.Scene, clear: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H, W, 4) float32 in 0..1, premultiplied where the clear colour is black; and pyrender's depth (H, W)."""
        scene.bg_color = np.full(4, clear)
        color, depth = self._drawer.render(scene, _FLAGS)
        return color.astype(np.float32) / 255.0, depth


def _cannot_start(device: int, e: Exception) -> RenderError:
    fault = find_fault(device, REQUIRED_GL)
    if fault is None:
        return RenderError(explain_missing_gl(e))
    return RenderError(fault.what, got=fault.got, allowed=fault.allowed)


class _Platform(pyrender_egl.EGLPlatform):
    """pyrender's EGL context, except that it leaves the display to the other contexts of the process."""

    _egl_display: Any
    _egl_context: Any

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make this context current, and restore the previous one afterwards."""
        previous = (
            EGL.eglGetCurrentDisplay(),
            EGL.eglGetCurrentSurface(EGL.EGL_DRAW),
            EGL.eglGetCurrentSurface(EGL.EGL_READ),
            EGL.eglGetCurrentContext(),
        )
        if self._egl_context is None:
            self.init_context()
        self.make_current()
        try:
            yield
        finally:
            if previous[3]:
                EGL.eglMakeCurrent(*previous)
            else:
                EGL.eglMakeCurrent(self._egl_display, EGL.EGL_NO_SURFACE, EGL.EGL_NO_SURFACE, EGL.EGL_NO_CONTEXT)

    def delete_context(self) -> None:
        """Destroy the context, not the display."""
        if self._egl_context is not None:
            EGL.eglDestroyContext(self._egl_display, self._egl_context)
            self._egl_context = None


class _Drawer(pyrender.Renderer):
    """pyrender's renderer with our shaders, our draw order, and the uniforms that our shaders add."""

    def __init__(self) -> None:
        super().__init__(1, 1)
        self._program_cache = ShaderProgramCache(shader_dir=str(_SHADERS))
        self.draw_order: list[pyrender.Node] = []
        self.toward_viewer = np.zeros(3)
        self.ground = np.zeros(3)

    def _sorted_mesh_nodes(self, scene: pyrender.Scene) -> list[pyrender.Node]:
        return self.draw_order  # pyrender's own order starts from a set, and changes from run to run

    def _bind_and_draw_primitive(self, primitive: Any, pose: Any, program: Any, flags: int) -> None:
        material = primitive.material.source
        blended = material.alpha_mode == "BLEND"
        program.set_uniform("shading", _SHADING[material.kind])
        program.set_uniform("cutoff", float(material.alpha_cutoff) if material.alpha_mode == "MASK" else -1.0)
        program.set_uniform("blended", int(blended))
        program.set_uniform("emission", np.array(material.emissive_factor) * material.emissive_strength)
        program.set_uniform("toward_viewer", self.toward_viewer)
        program.set_uniform("ambient_ground", self.ground)
        writes_depth = not blended or (material.mtoon is not None and material.mtoon.transparent_with_z_write)
        GL.glDepthMask(GL.GL_TRUE if writes_depth else GL.GL_FALSE)
        GL.glDepthFunc(GL.GL_LEQUAL)  # pyrender sets GL_LESS before each picture
        super()._bind_and_draw_primitive(primitive, pose, program, flags)
        GL.glDepthMask(GL.GL_TRUE)


class _Camera(pyrender.Camera):
    """A pyrender camera with the projection of a view's camera, perspective or orthographic."""

    def __init__(self, view: View):
        super().__init__(znear=view.camera.near, zfar=view.camera.far)
        self._clip_from_view = view.camera.clip_from_view(*view.size)

    def get_projection_matrix(self, width: int | None = None, height: int | None = None) -> NDArray[np.float64]:
        """(4, 4) clip from view. The arguments are pyrender's and unused."""
        return self._clip_from_view


def _in_order(meshes: list[PosedMesh], view: View) -> list[PosedMesh]:
    clip_from_world = view.camera.clip_from_view(*view.size) @ view.camera.view_from_world()
    depths = np.array([np.append(m.center, 1.0) @ clip_from_world[2] for m in meshes])
    items = draw_order([m.material for m in meshes], [m.material_index for m in meshes], depths, outlines=False)
    return [meshes[i.instance] for i in items]


def _scene(meshes: list[PosedMesh], view: View) -> tuple[pyrender.Scene, list[pyrender.Node]]:
    scene = pyrender.Scene(ambient_light=_ambient(view)[0])
    nodes = [scene.add(m.mesh) for m in meshes]
    scene.main_camera_node = scene.add(_Camera(view), pose=view.camera.world_from_view())
    if view.light is not None:
        travel = np.array(view.light.direction, np.float64)
        turn = quat_between((0.0, 0.0, -1.0), travel / np.linalg.norm(travel))
        light = pyrender.DirectionalLight(color=np.array(view.light.color), intensity=view.light.intensity)
        scene.add(light, pose=compose((0, 0, 0), turn, (1, 1, 1)))
    return scene, nodes


def _ambient(view: View) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(3,), (3,): linear ambient light from above and from below."""
    if view.ambient is None:
        return np.zeros(3), np.zeros(3)
    sky = view.ambient.color
    ground = sky if view.ambient.ground is None else view.ambient.ground
    return np.array(sky) * view.ambient.intensity, np.array(ground) * view.ambient.intensity


def _toward_viewer(view: View) -> NDArray[np.float64]:
    return view.camera.world_from_view()[:3, 2] if view.camera.ortho_height is not None else np.zeros(3)


def _finish(color: NDArray[np.float32], coverage: NDArray[np.float32], view: View) -> NDArray[np.uint8]:
    """Lay premultiplied colour (H·n, W·n, 3) over the background, box filter n × n, un-premultiply."""
    r, g, b, a = view.background or (0.0, 0.0, 0.0, 0.0)
    behind = np.array([r * a, g * a, b * a, a], np.float32)
    full = np.concatenate([color, coverage], -1) + (1.0 - coverage) * behind
    (width, height), n = view.size, view.supersample
    mean = full.reshape(height, n, width, n, 4).mean((1, 3))
    # Coverage from two drawings of 8 bits is right to 1/255: less than half a step is nothing.
    alpha = np.where(mean[..., 3:] < 0.5 / 255.0, 0.0, np.clip(mean[..., 3:], 0.0, 1.0))
    straight = np.divide(mean[..., :3], alpha, out=np.zeros_like(mean[..., :3]), where=alpha > 0)
    rgba = np.concatenate([np.clip(straight, 0.0, 1.0), alpha], -1)
    return np.asarray(np.rint(rgba * 255.0), np.uint8)


def _sampled_depth(depth: NDArray[np.float32], view: View) -> NDArray[np.float32]:
    """(H, W) metres along the view axis of one of the samples of each pixel, +inf for the background.

    depth: (H·n, W·n), pyrender's: 0 for the background, and computed as if every camera were a perspective one.
    """
    n = view.supersample
    sampled = depth[n // 2 :: n, n // 2 :: n].astype(np.float64)
    near, far = view.camera.near, view.camera.far
    out = np.full(sampled.shape, np.inf, np.float32)
    shown = sampled > 0
    window_z = (far - near * far / sampled[shown]) / (far - near)
    out[shown] = view.camera.depth_of(window_z.astype(np.float32))
    return out


def _gl_string(name: int) -> str:
    return str(GL.glGetString(name).decode("utf-8", "replace"))
