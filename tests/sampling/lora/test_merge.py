"""LoRAs from elsewhere: added, scaled, refused."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file

from vrm_synth.core.errors import VrmSynthError
from vrm_synth.models import open_base
from vrm_synth.sampling.image_requests import ImageRequest
from vrm_synth.sampling.lora.merge import merge_lora
from vrm_synth.sampling.sampler import DiffusionSampler
from vrm_synth.sampling.sampler_settings import DeviceConfig, SamplerSettings, SamplingError


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    """A LoRA of rank 2 and alpha 4, as diffusers' own scripts write it; its product is not nothing."""
    lora_folder = tmp_path_factory.mktemp("lora")
    unet = open_base(folder).unet
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        config = LoraConfig(r=2, lora_alpha=4, target_modules=["to_q", "to_v"], init_lora_weights=False)
        unet.add_adapter(config)
    tensors = get_peft_model_state_dict(unet)
    StableDiffusionPipeline.save_lora_weights(
        lora_folder, unet_lora_layers=tensors, unet_lora_adapter_metadata=config.to_dict()
    )
    return lora_folder / "pytorch_lora_weights.safetensors"


def query(model) -> torch.Tensor:
    return next(p for k, p in model.unet.named_parameters() if k.endswith("attn1.to_q.weight")).detach()


def test_weights_move_by_scale_times_alpha_over_rank_times_the_product(folder, file):
    from safetensors.torch import load_file

    tensors = load_file(file)
    key = next(k for k, _ in open_base(folder).unet.named_parameters() if k.endswith("attn1.to_q.weight"))
    stem = "unet." + key.removesuffix(".weight")
    a, b = (next(v for k, v in tensors.items() if k.startswith(stem) and f"lora_{x}" in k) for x in "AB")
    for scale in (1.0, 0.5, -1.0):
        changed = query(merge_lora(open_base(folder), file, scale))
        assert torch.allclose(changed, query(open_base(folder)) + scale * 4 / 2 * (b @ a), atol=1e-6)


def test_pictures_change_and_say_which_lora(folder, file):
    plain, added = open_base(folder), merge_lora(open_base(folder), file, 0.5)
    settings = SamplerSettings(32, 32, steps=2)
    one, other = (
        next(DiffusionSampler(m, settings, DeviceConfig()).generate([ImageRequest("a")])).tobytes()
        for m in (plain, added)
    )
    assert one != other
    (lora,) = added.identity["loras"]
    assert lora["scale"] == 0.5 and len(lora["sha256"]) == 64


def test_invalid_files_and_loras_of_other_models_are_refused(folder, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 100)
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    for name in ("a.bin", "none.safetensors", "broken.safetensors", "other.safetensors"):
        with pytest.raises(VrmSynthError, match=name):
            merge_lora(open_base(folder), tmp_path / name)
    for stem in ("unet.nothing.attn1.to_q", "transformer.blocks.0.to_q"):
        tensors = {f"{stem}.lora_A.weight": torch.zeros(2, 32), f"{stem}.lora_B.weight": torch.zeros(32, 2)}
        save_file(tensors, tmp_path / "alien.safetensors")
        with pytest.raises(SamplingError, match=r"alien\.safetensors: does not fit the model"):
            merge_lora(open_base(folder), tmp_path / "alien.safetensors")
    wrong = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    save_file(
        {f"{wrong}.lora_A.weight": torch.zeros(2, 9), f"{wrong}.lora_B.weight": torch.zeros(9, 2)},
        tmp_path / "size.safetensors",
    )
    with pytest.raises(SamplingError, match=r"size\.safetensors: does not fit the model"):
        merge_lora(open_base(folder), tmp_path / "size.safetensors")
