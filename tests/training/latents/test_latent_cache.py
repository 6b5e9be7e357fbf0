"""The latent cache: what misses, what hits, and what becomes of damage."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vrm_synth.training.latents import latent_cache, latent_index
from vrm_synth.training.latents.latent_cache import LatentCache, LatentKey
from vrm_synth.training.latents.latent_shard import Latent

KEY = LatentKey("on #ffffff", "vae float32", (64, 64), "centre", "float16")


def sha(i: int) -> bytes:
    return hashlib.sha256(bytes([i % 256, i // 256])).digest()


def fingerprint(i: int) -> bytes:
    return hashlib.sha256(b"print" + sha(i)).digest()[:16]


def latent(i: int, size: tuple[int, int] = (8, 8), dtype: torch.dtype = torch.float16) -> Latent:
    moments = torch.arange(8 * size[0] * size[1]).reshape(8, *size).add(i).to(dtype)
    return Latent(moments, torch.full(size, i % 256, dtype=torch.uint8))


def same(a: Latent | None, b: Latent) -> bool:
    return a is not None and torch.equal(a.moments, b.moments) and torch.equal(a.mask, b.mask)


def filled(folder: Path, count: int = 20, **options: object) -> LatentCache:
    cache = LatentCache(folder)
    for i in range(count):
        cache.put_picture_sha256(fingerprint(i), sha(i))
        cache.put_latent(sha(i), KEY, latent(i, **options))
    return cache


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "latents").glob("*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_latent_can_be_read_before_and_after_it_is_written_and_by_other_processes(dtype, tmp_path):
    cache = filled(tmp_path, dtype=dtype)
    for written in (False, True):
        if written:
            cache.flush()
        assert all(same(cache.get_latent(sha(i), KEY), latent(i, dtype=dtype)) for i in range(20))
        assert all(cache.get_picture_sha256(fingerprint(i)) == sha(i) for i in range(20))
    other = LatentCache(tmp_path)
    assert all(same(other.get_latent(sha(i), KEY), latent(i, dtype=dtype)) for i in range(20))
    assert all(other.get_picture_sha256(fingerprint(i)) == sha(i) for i in range(20))


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "on #ffffff, mirrored"},
        {"variant": "on #000000"},
        {"encoder": "another vae float32"},
        {"encoder": "vae bfloat16"},
        {"size": (64, 128)},
        {"size": (128, 64)},
        {"crop": "left"},
        {"dtype": "bfloat16"},
    ],
    ids=lambda c: "-".join(map(str, c.values())),
)
def test_a_change_of_any_part_of_the_key_misses(change, tmp_path):
    cache = filled(tmp_path, 1)
    for _ in range(2):
        assert cache.get_latent(sha(0), KEY) is not None
        assert cache.get_latent(sha(0), replace(KEY, **change)) is None
        assert cache.get_latent(sha(1), KEY) is None and cache.get_picture_sha256(fingerprint(1)) is None
        cache.flush()


def test_each_size_has_its_own_shards_and_full_ones_are_written_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(latent_cache, "SHARD_BYTES", 4 * 8 * 64 * 2)
    cache = LatentCache(tmp_path)
    for i in range(9):
        cache.put_latent(sha(i), KEY, latent(i))
        cache.put_latent(sha(i), replace(KEY, size=(64, 128)), latent(i, (16, 8)))
    assert len(shards(tmp_path)) == 2 + 4  # four small ones, or two large ones, fill one
    cache.flush()
    assert len(shards(tmp_path)) == 8
    other = LatentCache(tmp_path)
    assert all(same(other.get_latent(sha(i), replace(KEY, size=(64, 128))), latent(i, (16, 8))) for i in range(9))


def test_fingerprints_alone_are_written_too(tmp_path):
    cache = filled(tmp_path, 2)
    cache.flush()
    cache.put_picture_sha256(fingerprint(7), sha(0))
    cache.flush()
    other = LatentCache(tmp_path)
    assert other.get_picture_sha256(fingerprint(7)) == sha(0) and same(other.get_latent(sha(0), KEY), latent(0))


def test_two_writers_see_each_other_after_a_refresh(tmp_path):
    one, two = LatentCache(tmp_path), LatentCache(tmp_path)
    one.put_latent(sha(1), KEY, latent(1))
    two.put_latent(sha(2), KEY, latent(2))
    one.flush()
    two.flush()
    one.refresh()
    for cache in (one, two, LatentCache(tmp_path)):
        if cache is two:
            two.refresh()
        assert same(cache.get_latent(sha(1), KEY), latent(1)) and same(cache.get_latent(sha(2), KEY), latent(2))


def test_the_index_is_rebuilt_from_the_shards(tmp_path):
    filled(tmp_path).flush()
    folder = tmp_path / "latents"

    def array() -> Path:
        return next(folder.glob("*.npy"))

    for damage in (
        lambda: (folder / "index.json").unlink(),
        lambda: (folder / "index.json").write_text("{"),
        lambda: (folder / "index.json").write_text(json.dumps({"array": "../x.npy", "shards": []})),
        lambda: array().unlink(),
        lambda: array().write_bytes(array().read_bytes()[:50]),
    ):
        damage()
        cache = LatentCache(tmp_path)
        assert all(same(cache.get_latent(sha(i), KEY), latent(i)) for i in range(20))
        cache.put_latent(sha(77), KEY, latent(77))
        cache.flush()
        assert len(list(folder.glob("*.npy"))) == 1


def test_an_index_with_wrong_rows_returns_no_wrong_latent(tmp_path):
    filled(tmp_path).flush()
    array = next((tmp_path / "latents").glob("*.npy"))
    values = np.load(array)
    values[1] = values[1][::-1] + (1 << 40)
    np.save(array, values)
    cache = LatentCache(tmp_path)
    assert all(cache.get_latent(sha(i), KEY) is None for i in range(20))
    cache.put_latent(sha(7), KEY, latent(7))
    cache.flush()
    assert same(LatentCache(tmp_path).get_latent(sha(7), KEY), latent(7))


def test_unfinished_files_are_removed_after_a_day(tmp_path):
    filled(tmp_path).flush()
    old, new = (tmp_path / "latents" / f".{name}.npy.part" for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    LatentCache(tmp_path)
    assert not old.exists() and new.exists()


def test_unmerged_entries_are_merged_when_there_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(latent_cache, "SHARD_BYTES", 8 * 64 * 2)
    monkeypatch.setattr(latent_index, "MAX_UNMERGED", 5)
    cache = filled(tmp_path, 30)
    assert len(list((tmp_path / "latents").glob("*.npy"))) == 1
    assert all(same(cache.get_latent(sha(i), KEY), latent(i)) for i in range(30))
    for path in shards(tmp_path)[:10]:
        path.unlink()
    reopened = LatentCache(tmp_path)
    readable = sum(reopened.get_latent(sha(i), KEY) is not None for i in range(30))
    assert readable == 20
    reopened.put_latent(sha(99), KEY, latent(99))
    reopened.flush()
    assert sum(LatentCache(tmp_path).get_latent(sha(i), KEY) is not None for i in range(30)) == 20


@pytest.mark.parametrize("where", [4, 200, 0.3, 0.6, 0.999])
def test_a_damaged_shard_is_set_aside_and_its_latents_encoded_again(where, tmp_path):
    filled(tmp_path).flush()
    path = shards(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[where if isinstance(where, int) else int(where * len(data))] ^= 0x10
    path.write_bytes(data)
    cache = LatentCache(tmp_path)
    cached = [cache.get_latent(sha(i), KEY) for i in range(20)]
    assert any(f is None for f in cached)
    assert all(f is None or same(f, latent(i)) for i, f in enumerate(cached))
    assert cache.damaged == 1 and path.with_suffix(".bad").read_bytes() == bytes(data) and not path.exists()
    for i in range(20):
        cache.put_latent(sha(i), KEY, latent(i))
    cache.flush()
    assert all(same(LatentCache(tmp_path).get_latent(sha(i), KEY), latent(i)) for i in range(20))


@pytest.mark.parametrize("length", [0, 5, 100, 0.5])
def test_a_cut_shard_is_set_aside(length, tmp_path):
    filled(tmp_path).flush()
    path = shards(tmp_path)[0]
    data = path.read_bytes()
    path.write_bytes(data[: length if isinstance(length, int) else int(length * len(data))])
    cache = LatentCache(tmp_path)
    assert all(cache.get_latent(sha(i), KEY) is None for i in range(20)) and cache.damaged == 1


def test_a_shard_deleted_while_open_is_a_cache_miss(tmp_path):
    filled(tmp_path).flush()
    cache = LatentCache(tmp_path)
    shards(tmp_path)[0].unlink()
    assert cache.get_latent(sha(0), KEY) is None and cache.damaged == 0


def test_a_pickle_in_the_cache_is_not_read(tmp_path):
    filled(tmp_path, 1).flush()
    torch.save({"moments": torch.zeros(1)}, tmp_path / "latents/evil.safetensors")
    cache = LatentCache(tmp_path)
    assert cache.damaged == 1 and (tmp_path / "latents/evil.bad").exists()
    assert same(cache.get_latent(sha(0), KEY), latent(0))
