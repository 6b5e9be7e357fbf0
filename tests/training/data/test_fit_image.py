"""The part of a picture that a bucket takes, and its mask."""

from __future__ import annotations

import numpy as np

from vrm_synth.training.data.fit_image import fit_image

WHITE = (255, 255, 255)


def test_clear_parts_show_the_background_and_half_clear_ones_half_of_it():
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[:8, :, 3], pixels[8:, :, 3] = 0, 128
    scaled, mask = fit_image(pixels, (16, 16), (200, 100, 0), None, 8)
    assert scaled[0, 0].tolist() == [200, 100, 0] and np.allclose(scaled[15, 0], [100, 50, 0], atol=1)
    assert mask.tolist() == [[0, 0], [128, 128]]


def test_the_middle_is_taken_and_the_mask_with_it():
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = 250
    mask = np.zeros((64, 192), np.uint8)
    mask[:32, 64:96] = 255
    scaled, shares = fit_image(pixels, (64, 64), WHITE, mask, 8)
    assert scaled.shape == (64, 64, 3) and (scaled == 250).all()
    assert shares.shape == (8, 8) and (shares[:4, :4] == 255).all() and shares.sum() == 16 * 255


def test_a_mask_is_the_share_of_figure_in_each_cell():
    mask = np.zeros((128, 128), np.uint8)
    mask[:, :24] = 255  # one and a half cells of 16 pixels, at half the size
    _, shares = fit_image(np.zeros((128, 128, 3), np.uint8), (64, 64), WHITE, mask, 8)
    assert shares[0, :3].tolist() == [255, 128, 0]
    _, without = fit_image(np.zeros((128, 128, 3), np.uint8), (64, 64), WHITE, None, 8)
    assert (without == 255).all()


def test_a_padded_picture_is_not_cropped_and_its_margins_are_background():
    pixels = np.full((128, 64, 3), 200, np.uint8)
    scaled, shares = fit_image(pixels, (64, 64), (10, 20, 30), None, 8, pad=True)
    assert np.allclose(scaled[:, 20:44], 200, atol=2) and np.allclose(scaled[:, :12], (10, 20, 30), atol=2)
    assert (shares[:, 2:6] == 255).all() and (shares[:, [0, 1, 6, 7]] == 0).all()
    exact, _ = fit_image(np.full((64, 64, 3), 7, np.uint8), (64, 64), WHITE, None, 8, pad=True)
    assert (exact == 7).all()
