"""The license gate: the file's license, the manifest's evidence, and what the user accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import yaml

from tests.corpus import CORPUS, needs_corpus
from tests.tiny import avatar
from tests.vrm.vrm_file import glb, vrm1
from vrm_synth.core.errors import LicenseError, RecipeError
from vrm_synth.gltf.json_reader import JsonObject
from vrm_synth.licensing.evidence import load_evidence, load_manifest
from vrm_synth.licensing.gate import check_license, effective_license, is_cc0
from vrm_synth.licensing.license import License, vrm0_license, vrm1_license
from vrm_synth.shot import load_recipe
from vrm_synth.vrm import load, load_bytes
from vrm_synth.vrm.report import avatar_report, format_report
from vrm_synth.yaml_models import resources

VPL = "VRM Public License 1.0 (avatarPermission=everyone; modification=prohibited; allowRedistribution)"
SHA = "ab" * 32
ENTRY = {"sha256": SHA, "name": "a", "license": "CC0-1.0", "evidence": "https://e.org/a", "quote": "it is free",
         "date": "2026-01-31"}  # fmt: skip


def licensed(name: str, is_cc0: bool = False):
    blank = avatar([])
    return replace(blank, source="a.vrm", sha256=SHA, meta=replace(blank.meta, license=License(name, is_cc0=is_cc0)))


@pytest.fixture
def manifest(tmp_path):
    def write(*entries):
        lines = [{**ENTRY, **entry} for entry in entries]
        text = yaml.safe_dump({"assets": lines}).replace("'2026-01-31'", "2026-01-31")
        (tmp_path / "manifest.yaml").write_text(text)
        return tmp_path / "manifest.yaml"

    return write


def test_a_file_that_says_cc0_passes():
    result = check_license(licensed("CC0", True), {})
    assert (result.license, result.is_cc0, result.source) == ("CC0-1.0", True, "file")


@pytest.mark.parametrize("name", ["Other (no URL)", "Redistribution_Prohibited", "CC_BY", VPL, "https://example.com/a"])
def test_any_other_license_is_refused_with_file_license_and_remedy(name):
    with pytest.raises(LicenseError) as caught:
        check_license(licensed(name), {})
    text = str(caught.value)
    assert text.startswith("a.vrm: license not accepted") and name in text and f'--accept-license "{name}"' in text
    assert "--manifest" in text and SHA in text and "\n" not in text


def test_a_file_without_a_license_is_refused_and_can_be_accepted_as_none():
    with pytest.raises(LicenseError, match=r'got none .*--accept-license "none"'):
        check_license(licensed(""), {})
    assert check_license(licensed(""), {}, ["none"]).license == "none"


@pytest.mark.parametrize("accepted", ["CC_BY", "cc_by", "CC BY", "cc-by"])
def test_an_accepted_license_passes_and_keeps_its_name(accepted):
    result = check_license(licensed("CC_BY"), {}, ["MIT", accepted])
    assert (result.license, result.is_cc0) == ("CC_BY", False)


@pytest.mark.parametrize("accepted", ["CC_BY_NC", "CC", "", "*", "CC_BY_SA", "CC0"])
def test_accepting_one_license_accepts_no_other(accepted):
    with pytest.raises(LicenseError):
        check_license(licensed("CC_BY"), {}, [accepted])


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("https://example.com/a", "http://EXAMPLE.com/a/"),
        ("CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
        ("CC-BY-4.0", "creativecommons.org/licenses/by/4.0/deed.de"),
        (VPL, VPL.upper()),
        ("CC_BY and https://example.com/a", "CC-BY and https://example.com/a/"),
        ("Other (no URL)", "Other (no URL)"),
    ],
)
def test_a_license_is_accepted_by_its_name_or_its_url(name, accepted):
    assert check_license(licensed(name), {}, [accepted]).license == name


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("https://example.com/a", "https://example.com/b"),
        ("https://example.com/a", "https://example.com/A"),
        ("https://example.com/a-b", "https://example.com/ab"),
        ("https://example.com/a", "Other"),
        ("Other (no URL)", "Other"),
        ("CC-BY-4.0", "Other"),
        (VPL, "VRM Public License 1.0"),
        (VPL, "https://vrm.dev/licenses/1.0/"),
        (VPL, VPL.replace("prohibited", "allowModification")),
        (VPL, VPL.replace("; allowRedistribution", "")),
        (f"{VPL} and https://example.com/a", VPL),
    ],
)
def test_a_url_or_terms_accept_no_other_url_or_terms(name, accepted):
    with pytest.raises(LicenseError):
        check_license(licensed(name), {}, [accepted])


def test_the_suggested_option_is_quoted_for_a_shell():
    with pytest.raises(LicenseError) as caught:
        check_license(licensed('"; $(rm -rf ~)'), {})
    assert """--accept-license '"; $(rm -rf ~)'""" in str(caught.value)


def test_url_and_terms_belong_to_the_files_license_and_not_to_evidence(manifest):
    stranger = licensed("CC-BY-4.0")
    terms = {"licenseUrl": "https://e.org/l", "commercialUsage": "corporation", "modification": "prohibited"}
    license_ = replace(stranger.meta.license, url="https://e.org/l", terms=terms)
    stranger = replace(stranger, meta=replace(stranger.meta, license=license_))
    alone = effective_license(stranger, {})
    assert (alone.url, alone.terms) == ("https://e.org/l", "commercialUsage=corporation; modification=prohibited")
    by_evidence = effective_license(stranger, load_manifest(manifest({})))
    assert (by_evidence.url, by_evidence.terms) == ("", "")


def test_evidence_of_cc0_overrides_the_files_license(manifest):
    result = check_license(licensed("Redistribution_Prohibited"), load_manifest(manifest({})))
    assert (result.license, result.is_cc0, result.source) == ("CC0-1.0", True, "https://e.org/a")


def test_evidence_overrules_a_file_that_claims_cc0(manifest):
    evidence = load_manifest(manifest({"license": "CC-BY-4.0"}))
    with pytest.raises(LicenseError, match=r"got CC-BY-4.0 \(by https://e.org/a\)"):
        check_license(licensed("CC0", True), evidence)


def test_evidence_is_for_one_file_only(manifest):
    with pytest.raises(LicenseError):
        check_license(licensed("Other"), load_manifest(manifest({"sha256": "cd" * 32})))


def test_the_users_manifest_wins_over_ours(manifest):
    sha, entry = next(iter(load_evidence().items()))
    assert is_cc0(entry.license)
    assert load_evidence(manifest({"sha256": sha, "license": "MIT"}))[sha].license == "MIT"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "AB" * 32}, "sha256"),
        ({"sha256": "ab"}, "sha256"),
        ({"evidence": "trust me"}, "evidence"),
        ({"quote": ""}, "quote"),
        ({"date": "yesterday"}, "date"),
        ({"licence": "CC0"}, "unknown key .did you mean license"),
    ],
)
def test_a_manifest_with_a_mistake_is_refused_with_its_line(manifest, change, message):
    with pytest.raises(RecipeError, match=rf"manifest\.yaml:\d+: .*{message}"):
        load_manifest(manifest(change))


def test_the_same_asset_twice_is_refused(manifest):
    with pytest.raises(RecipeError, match="twice"):
        load_manifest(manifest({}, {"license": "MIT"}))


@pytest.mark.parametrize("name", ["CC0", "cc0", "CC0-1.0", "CC0 1.0", "CC0_1_0", "CC0 1.0 Universal"])
def test_spellings_of_cc0_are_recognized(name):
    assert is_cc0(name)


@pytest.mark.parametrize("name", ["", "CC", "CC-BY-4.0", "not CC0", "CC0-NC", "none"])
def test_other_licenses_are_not_cc0(name):
    assert not is_cc0(name)


def test_every_entry_of_the_shipped_manifest_has_evidence():
    entries = load_manifest(resources.file(resources.MANIFEST))
    assert entries and all(e.quote and e.evidence.startswith("https://") for e in entries.values())


@needs_corpus
@pytest.mark.parametrize(
    ("name", "free"),
    [("boombox_export4", True), ("skinnie4", True), ("zombie", True), ("crimsom", True), ("m_expressive", False),
     ("v1_debug_robot", False)],
)  # fmt: skip
def test_real_avatars_have_the_license_of_their_evidence(name, free):
    result = effective_license(load(CORPUS / "avatars" / f"{name}.vrm"), load_evidence())
    assert result.is_cc0 == free


URL = "https://example.com/terms?a=1,2#part"
PUBLIC = {"licenseUrl": "https://vrm.dev/licenses/1.0/", "modification": "prohibited", "allowRedistribution": True}
STATED = [
    vrm1_license(JsonObject(PUBLIC)),
    vrm1_license(JsonObject(PUBLIC | {"otherLicenseUrl": URL})),
    vrm1_license(JsonObject(PUBLIC | {"avatarPermission": "every: one, [x]"})),
    vrm1_license(JsonObject({"licenseUrl": "https://creativecommons.org/licenses/by-sa/4.0/"})),
    vrm1_license(JsonObject({"licenseUrl": URL})),
    vrm1_license(JsonObject({})),
    vrm0_license(JsonObject({"licenseName": "CC_BY_NC"})),
    vrm0_license(JsonObject({"licenseName": "Redistribution_Prohibited", "otherPermissionUrl": URL})),
    vrm0_license(JsonObject({"licenseName": "Other", "otherLicenseUrl": "see the readme: it is free"})),
    vrm0_license(JsonObject({"licenseName": "Other"})),
    vrm0_license(JsonObject({})),
]


@pytest.mark.parametrize("license", STATED, ids=lambda license: license.name[:40])
def test_a_recipe_accepts_exactly_the_license_name_that_inspect_prints(license, tmp_path):
    doc, data = vrm1()
    loaded = load_bytes(glb(doc, bytes(data)), "a.vrm")
    stated = {x.name: replace(loaded, meta=replace(loaded.meta, license=x)) for x in STATED}
    printed = next(
        x for x in format_report(avatar_report(stated[license.name])).splitlines() if x.startswith("license ")
    )
    name = printed.removeprefix("license ").strip()
    assert name == avatar_report(stated[license.name])["license"]["name"]
    text = yaml.safe_dump({"avatars": ["demo"], "count": 1, "accept_licenses": [name]})
    (tmp_path / "r.yaml").write_text(text)
    accepted = load_recipe(tmp_path / "r.yaml").accept_licenses
    for other in STATED:
        if other.name == license.name:
            assert check_license(stated[other.name], {}, accepted).license == name
        else:
            with pytest.raises(LicenseError):
                check_license(stated[other.name], {}, accepted)


@pytest.mark.parametrize("license", [STATED[0], STATED[3], STATED[6], STATED[9]], ids=lambda license: license.name[:40])
def test_the_usual_names_need_no_quotes_in_a_recipe(license, tmp_path):
    for text in (f"[{license.name}, MIT]", f"\n  - {license.name}\n  - MIT"):
        (tmp_path / "r.yaml").write_text(f"avatars: [demo]\ncount: 1\naccept_licenses: {text}\n")
        assert load_recipe(tmp_path / "r.yaml").accept_licenses == (license.name, "MIT")


def test_an_entry_may_correct_the_parts_of_its_file(manifest):
    own = {"materials": {"Body_00": "skin"}, "colors": [{"color": "#102030", "part": "hat", "zones": ["head"]}]}
    parts = load_manifest(manifest({"parts": own}))[SHA].parts
    assert parts is not None and parts.materials == {"Body_00": "skin"} and parts.colors[0].zones == ("head",)
    assert load_manifest(manifest({}))[SHA].parts is None
    with pytest.raises(RecipeError, match="no such part"):
        load_manifest(manifest({"parts": {"materials": {"a": "hiar"}}}))
