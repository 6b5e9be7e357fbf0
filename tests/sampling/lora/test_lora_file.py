"""LoRA files of kohya's scripts, LyCORIS, diffusers and peft: each by its formula; applied whole or refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from vrm_synth.models import open_base
from vrm_synth.sampling.lora.merge import merge_lora
from vrm_synth.sampling.sampler_settings import SamplingError

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.0.self_attn.q_proj"


def some(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 10


def weights(model) -> dict[str, torch.Tensor]:
    """Copies of all weights by name; the text encoder's without "text_model."."""
    unet_weights = {k: p.detach().clone() for k, p in model.unet.named_parameters()}
    text = model.text_encoder.named_parameters()
    return unet_weights | {f"text.{k.removeprefix('text_model.')}": p.detach().clone() for k, p in text}


@pytest.fixture(scope="module")
def before(folder) -> dict[str, torch.Tensor]:
    return weights(open_base(folder))


def added(folder, tmp_path, tensors, metadata=None, scale=1.0) -> dict[str, torch.Tensor]:
    save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / "some.safetensors", metadata)
    return weights(merge_lora(open_base(folder), tmp_path / "some.safetensors", scale))


def check(after, before, **expected: torch.Tensor) -> None:
    """Check that the named weights are as expected and all others unchanged."""
    by_name = {f"{k.replace('__', '.')}.weight": v for k, v in expected.items()}
    for name, value in after.items():
        assert torch.allclose(value, by_name.get(name, before[name]), atol=1e-6), name
    assert all(not torch.allclose(v, before[k], atol=1e-4) for k, v in by_name.items())


def key(name: str) -> str:
    return name.replace(".", "__")


def pair(before, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Of rank 2: (down, up)."""
    out, width = before[f"{name}.weight"].shape[:2]
    return some(2, width, seed=1), some(out, 2, seed=2)


def test_kohya_with_alpha_and_the_text_encoder(folder, before, tmp_path):
    down, up = pair(before, LINEAR)
    text_down, text_up = pair(before, f"text.{TEXT}")
    stem, text = f"lora_unet_{LINEAR.replace('.', '_')}", f"lora_te_text_model_{TEXT.replace('.', '_')}"
    tensors = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(1.0),
               f"{text}.lora_down.weight": text_down, f"{text}.lora_up.weight": text_up,
               f"{text}.alpha": torch.tensor(4.0)}  # fmt: skip
    expected = {key(LINEAR): before[f"{LINEAR}.weight"] + 0.5 * 1 / 2 * up @ down,
              key(f"text.{TEXT}"): before[f"text.{TEXT}.weight"] + 0.5 * 4 / 2 * text_up @ text_down}  # fmt: skip
    check(added(folder, tmp_path, tensors, scale=0.5), before, **expected)


@pytest.mark.parametrize("mid", [False, True])
def test_locon_of_a_convolution(folder, before, tmp_path, mid):
    out, width = before[f"{CONV}.weight"].shape[:2]
    stem = f"lora_unet_{CONV.replace('.', '_')}"
    up = some(out, 2, 1, 1, seed=2)
    if mid:
        down, middle = some(2, width, 1, 1, seed=1), some(2, 2, 3, 3, seed=3)
        tensors = {f"{stem}.lora_mid.weight": middle}
        delta = torch.einsum("or,rskl,si->oikl", up[..., 0, 0], middle, down[..., 0, 0])
    else:
        down, tensors = some(2, width, 3, 3, seed=1), {}
        delta = torch.einsum("or,rikl->oikl", up[..., 0, 0], down)
    tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(3.0)}
    check(added(folder, tmp_path, tensors), before, **{key(CONV): before[f"{CONV}.weight"] + 1.5 * delta})


@pytest.mark.parametrize("of", ["output", "input"])
@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_lycoris_dora(folder, before, tmp_path, of, scale):
    down, up = pair(before, LINEAR)
    weight, stem = before[f"{LINEAR}.weight"], f"lora_unet_{LINEAR.replace('.', '_')}"
    axis = 1 if of == "output" else 0
    full = weight + 2 / 2 * up @ down
    lengths = weight.norm(dim=axis, keepdim=True) * 1.5
    tensors = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.dora_scale": lengths,
               f"{stem}.alpha": torch.tensor(2.0)}  # fmt: skip
    normalized = full / full.norm(dim=axis, keepdim=True) * lengths
    check(
        added(folder, tmp_path, tensors, scale=scale), before, **{key(LINEAR): weight + scale * (normalized - weight)}
    )


@pytest.mark.parametrize("convolution", [False, True])
@pytest.mark.parametrize("rslora", [False, True])
def test_dora_of_peft_equals_peft(folder, before, tmp_path, convolution, rslora):
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import get_peft_model_state_dict

    unet = open_base(folder).unet
    options = {"r": 4, "lora_alpha": 6, "use_dora": True, "use_rslora": rslora, "alpha_pattern": {"attn2.to_q": 3}}
    layers = ["conv1"] if convolution else ["to_q"]
    config = LoraConfig(**options, init_lora_weights=False, target_modules=layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        unet.add_adapter(config)
    StableDiffusionPipeline.save_lora_weights(
        tmp_path, get_peft_model_state_dict(unet), unet_lora_adapter_metadata=config.to_dict()
    )
    after = weights(merge_lora(open_base(folder), tmp_path / "pytorch_lora_weights.safetensors"))
    changed = 0
    for name, module in unet.named_modules():
        if isinstance(module, BaseTunerLayer):
            module.merge()
            assert torch.allclose(after[f"{name}.weight"], module.get_base_layer().weight, atol=1e-5), name
            changed += not torch.allclose(after[f"{name}.weight"], before[f"{name}.weight"], atol=1e-3)
    assert changed > 2


def test_peft_needs_adapter_config_beside(folder, before, tmp_path):
    down, up = pair(before, LINEAR)
    tensors = {f"base_model.model.{LINEAR}.lora_A.weight": down, f"base_model.model.{LINEAR}.lora_B.weight": up}
    with pytest.raises(SamplingError, match=r"α is not known; allowed: adapter_config.json beside it"):
        added(folder, tmp_path, tensors)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 8, "use_rslora": True}))
    expected = {key(LINEAR): before[f"{LINEAR}.weight"] + 8 / 2**0.5 * up @ down}
    check(added(folder, tmp_path, tensors), before, **expected)


@pytest.mark.parametrize(
    ("form", "layer"),
    [
        ("unet.{}.lora.{}.weight", LINEAR),
        ("unet.{}.lora.{}.weight", OUT),
        ("unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.{1}.weight", LINEAR),
        ("down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.{1}.weight", OUT),
        ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.{1}.weight", f"text.{TEXT}"),
    ],
)
def test_diffusers_older_names(folder, before, tmp_path, form, layer):
    down, up = pair(before, layer)
    tensors = {form.format(layer, "down"): down, form.format(layer, "up"): up}
    check(added(folder, tmp_path, tensors), before, **{key(layer): before[f"{layer}.weight"] + up @ down})


def test_a_file_that_does_not_fit_is_refused_and_changes_nothing(folder, before, tmp_path):
    down, up = pair(before, LINEAR)
    stem = f"lora_unet_{LINEAR.replace('.', '_')}"
    good = {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
    huge = {f"{stem}.alpha": torch.tensor(float("inf"))}
    wrong = {
        "1 of 2 layers that it does not have, lora_unet_nothing": {"lora_unet_nothing.lora_down.weight": down},
        "layers that it does not have, lora_te2_text": {"lora_te2_text_model_x.lora_up.weight": up},
        "hada_w1_a; allowed: LoRA, LoCon and DoRA": {f"{stem}.hada_w1_a": down},
        "lora_B.bias; allowed": {f"unet.{LINEAR}.lora_B.bias": up},
        "no finite numbers": huge,
        "alpha": {f"{stem}.alpha": torch.ones(2)},
        "1 layers twice": {f"unet.{LINEAR}.lora_A.weight": down, f"unet.{LINEAR}.lora_B.weight": up},
        "half a layer": {f"lora_unet_{OUT.replace('.', '_')}.lora_up.weight": up},
        "torch.int64": {f"{stem}.dora_scale": torch.ones(3, dtype=torch.int64)},
        "dora_scale (3,), down (2, 32), up (32, 2); allowed: for a weight (32, 32)":
            {f"{stem}.dora_scale": torch.ones(3)},
        "lora_unet_conv_in: down (2, 4, 2, 2), up (32, 2); allowed: for a weight (32, 4, 3, 3)":
            {"lora_unet_conv_in.lora_down.weight": some(2, 4, 2, 2), "lora_unet_conv_in.lora_up.weight": some(32, 2)},
    }  # fmt: skip
    for words, more in wrong.items():
        save_file({k: v.clone() for k, v in (good | more).items()}, tmp_path / "bad.safetensors")
        model = open_base(folder)
        with pytest.raises(SamplingError, match=r"bad\.safetensors: does not fit the model; got") as e:
            merge_lora(model, tmp_path / "bad.safetensors")
        assert words in str(e.value) and "\n" not in str(e.value)
        check(weights(model), before)
