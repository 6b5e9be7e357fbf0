"""Words by which people name materials, meshes, nodes and textures, by the part that they name.

English words are given in the singular, in small letters, several words with a space between; a name's words are
found at its capitals, digits and signs, so that "hairpin" is not hair and "earring" not an ear. Japanese words are
found anywhere in a name, the longest first; Japanese in Latin letters counts as English does.
"""

from __future__ import annotations

from typing import Literal

# What a word says that names no part by itself. skin: face or body by place; face, head, body: where; eye: iris, white
# or lashes; garment, detail: clothes, a detail of clothes, by place; silent: takes its words away from shorter ones.
Hint = Literal["skin", "face", "head", "body", "eye", "garment", "detail", "silent"]
HINTS: tuple[Hint, ...] = ("skin", "face", "head", "body", "eye", "garment", "detail", "silent")

LATIN: dict[str, str] = {
    "hair": "hair, ahoge, kami, kaminoke, beard, moustache, mustache, sideburn, side hair, hair side, hair base, hige",
    "hair_front": "front hair, hair front, bang, hair bang, fringe, hair fringe, forelock, maegami",
    "hair_back": "back hair, hair back, rear hair, hair rear, ushirogami, usirogami, ushiro kami",
    "hair_tail": (
        "ponytail, pony tail, twintail, twin tail, side tail, pigtail, hair tail, tail hair, braid, mitsuami, osage"
    ),
    "face_skin": "face skin, skin face, cheek, nose, blush, hoho, hoppe, freckle",
    "body_skin": "body skin, skin body",
    "iris": (
        "iris, irise, pupil, eye iris, eye pupil, eye highlight, highlight eye, highlight, catchlight, eye light, "
        "eye hi, hitomi, doukou"
    ),
    "eye_white": "eye white, white eye, whites of eye, eyeball white, white of eye, sclera, shirome, sirome",
    "brow": "brow, eyebrow, eye brow, face brow, mayu, mayuge",
    "lash": "lash, eyelash, eye lash, eyeline, eye line, eyeliner, matsuge, matuge",
    "mouth": "mouth, teeth, tooth, tongue, lip, gum, fang, oral, kuchi, kuti, inner mouth, mouth inside",
    "upper_garment": (
        "shirt, tshirt, t shirt, blouse, sweater, top, vest, hoodie, hoody, parka, bra, turtleneck, tunic, pullover, "
        "jersey, camisole, sweatshirt, crop top, tank top"
    ),
    "lower_garment": (
        "skirt, pant, trouser, short, bottom, jean, slack, hakama, bloomer, panty, pantie, shortpant, zubon, sukaato, "
        "sukato"
    ),
    "one_piece": (
        "onepiece, one piece, dress, jumpsuit, overall, kimono, yukata, swimsuit, swim suit, leotard, bodysuit, "
        "body suit, romper, gown, wanpiisu, mizugi"
    ),
    "outer_garment": "jacket, coat, cardigan, cape, cloak, blazer, outer, outerwear, haori, mantle, poncho, uwagi",
    "legwear": (
        "sock, stocking, tight, legging, legwear, leg wear, pantyhose, knee sock, kneesock, over knee, overknee, "
        "thighhigh, thigh high, kutsushita, kutusita, taitsu"
    ),
    "shoes": (
        "shoe, boot, sandal, sneaker, heel, high heel, loafer, slipper, sole, footwear, geta, kutsu, kutu, "
        "shoe sole, shoe lace, shoelace"
    ),
    "gloves": "glove, mitten, gauntlet, tebukuro",
    "hat": "hat, cap, helmet, beret, beanie, bonnet, boushi, bousi",
    "glasses": "glasses, eyeglasses, sunglasses, goggle, spectacle, monocle, lens, frame, megane",
    "ornament": (
        "accessory, accessorie, acce, acc, ribbon, bow, bowtie, bow tie, tie, necktie, earring, ear ring, piercing, "
        "necklace, choker, pendant, bracelet, bangle, hairpin, hair pin, hairclip, hair clip, hairband, hair band, "
        "hair tie, hair ornament, hair accessory, hair ribbon, headband, head band, headphone, headset, earphone, "
        "tiara, brooch, badge, jewel, jewelry, belt, muffler, halo, ribon, heddohon, kazari, kamikazari, "
        "headdress, head dress, scrunchie"
    ),
    "animal_ears": (
        "animal ear, cat ear, catear, fox ear, dog ear, wolf ear, bunny ear, rabbit ear, bear ear, kemonomimi, "
        "kemomimi, nekomimi, neko mimi, usamimi, usa mimi, kitsunemimi, inumimi"
    ),
    "tail": "tail, shippo, sippo",
    "wings": "wing, tsubasa, tubasa, hane",
    "held_thing": (
        "sword, katana, gun, pistol, rifle, weapon, bag, handbag, backpack, back pack, rucksack, satchel, staff, wand, "
        "shield, umbrella, spear, knife, dagger, hammer, axe, microphone, guitar, baggu, kaban"
    ),
    "skin": "skin, hada, suhada, flesh",
    "face": "face, kao, feisu",
    "head": "head, atama",
    "body": "body, karada, torso, base body, dou, nude, naked",
    "eye": "eye, eyeball, eye ball",
    "garment": (
        "cloth, clothe, clothes, clothing, costume, outfit, wear, garment, suit, uniform, armor, fuku, huku, isyou"
    ),
    "detail": (
        "trim, collar, sleeve, cuff, button, zipper, zip, lace, rib, pocket, print, cord, hood, frill, hem, pleat, sode"
    ),
    "silent": (
        "eye shadow, eyeshadow, hair shadow, hairshadow, hairline, headlight, face shadow, tail light, fingertip, "
        "wing mirror, cap bone, bare foot, barefoot, top level, eyepatch, eye patch, bow arrow, outer line, outline"
    ),
}  # fmt: skip

JAPANESE: dict[str, str] = {
    "hair": "髪 髪の毛 ヘア ヘアー アホ毛 あほ毛 横髪 もみあげ ひげ 髭 ヒゲ",
    "hair_front": "前髪 まえがみ",
    "hair_back": "後髪 後ろ髪 うしろ髪 後頭部髪 襟足",
    "hair_tail": "ポニーテール ツインテール ツインテ サイドテール 三つ編み 三つ編 おさげ お下げ",
    "face_skin": "頬 ほほ チーク 鼻 顔肌",
    "body_skin": "体肌",
    "iris": "瞳 虹彩 瞳孔 目ハイライト ハイライト 黒目",
    "eye_white": "白目 しろめ 目白",
    "brow": "眉 眉毛 まゆ まゆげ マユ",
    "lash": "睫毛 睫 まつげ まつ毛 マツゲ アイライン",
    "mouth": "口 口内 口腔 歯 舌 唇 くち ベロ リップ",
    "upper_garment": "シャツ ブラウス セーター トップス パーカー ベスト ブラジャー ブラ ニット 肌着 Tシャツ",
    "lower_garment": "スカート ズボン パンツ ショートパンツ ボトムス ボトム 袴 ショーツ 短パン ジーンズ",
    "one_piece": "ワンピース ドレス 着物 浴衣 水着 レオタード ボディスーツ ツナギ",
    "outer_garment": "上着 コート ジャケット カーディガン マント 羽織 ブレザー アウター ケープ",
    "legwear": "靴下 くつした ソックス タイツ ストッキング ニーソ ニーハイ ニーソックス レギンス",
    "shoes": "靴 くつ ブーツ シューズ サンダル スニーカー ローファー 草履 下駄",
    "gloves": "手袋 てぶくろ グローブ",
    "hat": "帽子 ぼうし ヘルメット ベレー帽 キャップ",
    "glasses": "眼鏡 メガネ めがね サングラス ゴーグル",
    "ornament": (
        "アクセサリー アクセ リボン イヤリング ピアス ネックレス チョーカー ヘアピン カチューシャ 髪飾り 髪飾 飾り 飾 "
        "ヘッドホン ヘッドフォン 指輪 腕輪 ベルト ネクタイ マフラー ヘアゴム ヘアバンド ヘアアクセ 耳飾り"
    ),
    "animal_ears": "獣耳 けもみみ ケモミミ ケモ耳 猫耳 ネコミミ ねこみみ ネコ耳 うさ耳 ウサミミ 兎耳 狐耳 犬耳",
    "tail": "尻尾 しっぽ シッポ 尾",
    "wings": "翼 羽 羽根 羽毛 つばさ ツバサ",
    "held_thing": "武器 剣 刀 銃 杖 傘 鞄 カバン かばん バッグ リュック 盾",
    "skin": "肌 素肌 スキン 皮膚",
    "face": "顔 フェイス かお",
    "head": "頭 あたま",
    "body": "体 身体 からだ 素体 ボディ ボディー 胴",
    "eye": "目 眼 目玉 眼球",
    "garment": "服 衣服 衣装 制服 コスチューム 洋服",
    "detail": "襟 袖 ボタン フリル ファスナー ポケット 裾 レース",
    "silent": "目次 項目 口紅 眼帯 入口 出口 前髪影 髪影 目影 耳 体操 頭身",
}
