"""Resource limits for reading an avatar file; a file beyond them is refused."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits on what a file may ask for; each is checked before the memory that it bounds is allocated.

    The defaults are several times what the largest public avatars need. They keep the reading of a refused file under
    300 MB and two seconds; only vertices, and large images with valid headers, that turn out to be damaged
    when they are decoded take more. (The process that decodes compressed data has limits of its own, in
    codecs/decoder_process.py.) A caller that trusts its files may raise any of them. The last four bound the time of
    posing, not of loading.

    Attributes:
        file_bytes: size of the whole file.
        json_bytes: size of the JSON chunk.
        json_depth: nesting of the JSON chunk.
        json_values: values in the JSON chunk (containers and commas).
        items: entries of any one glTF or VRM list (nodes, accessors, images …), and primitives of all meshes.
        morph_targets: morph targets of one primitive.
        vertices: vertices of all primitives.
        indices: indices of all primitives.
        numbers: vertex, morph and matrix components to decode, beyond one for each byte of the file, so that a small
            file cannot ask for much by leaving zeros out or by using data twice.
        image_side: width or height of one image, pixels.
        image_pixels: pixels of all decoded images together.
        data_uri_bytes: size of one `data:` URI.
        decoded_bytes: all compressed geometry, decompressed.
        references: joints, binds and collider uses that VRM lists expand to.
        node_depth: nodes nested under one another.
        constraints: nodes with a constraint.
        spring_joints: joints of all springs.
        spring_hits: joints of all springs times the colliders of the spring that has the most (VRoid's avatars
            have about 200 joints and up to 100 colliders).
    """

    file_bytes: int = 512 * 2**20
    json_bytes: int = 16 * 2**20
    json_depth: int = 96
    json_values: int = 500_000
    items: int = 20_000
    morph_targets: int = 1_000
    vertices: int = 4_000_000
    indices: int = 24_000_000
    numbers: int = 40_000_000
    image_side: int = 8_192
    image_pixels: int = 200_000_000
    data_uri_bytes: int = 8 * 2**20
    decoded_bytes: int = 256 * 2**20
    references: int = 50_000
    node_depth: int = 512
    constraints: int = 500
    spring_joints: int = 2_000
    spring_hits: int = 100_000


DEFAULT_LIMITS = Limits()
