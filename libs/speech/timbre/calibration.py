"""What an engine is made to say while it is measured: one text to fit by, another to judge by.

They hold the sounds of their language about as often as it uses them, and nothing that engines read in several ways.
Languages that have none are measured on numbers, which every voice of eSpeak NG reads in its own language.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Calibration:
    """Two unlike texts of some ten seconds each."""

    fitting: str
    judging: str


_NUMBERS = Calibration(
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10. 11, 12, 13, 14, 15. 27, 38, 49, 56. 60, 71, 83, 94.",
    "90, 80, 70, 64, 53. 20, 19, 18, 17, 16. 9, 7, 5, 3, 1. 2, 4, 6, 8. 31, 42, 75, 86.",
)

_TEXTS = {
    "en": Calibration(
        "The boy threw his yellow kite high over the garden while a cool breeze came up from the shore. "
        "We could hear voices and laughter, and then a large bird flew past the old church. "
        "Do you usually take the bus, or would you rather join us for a short walk?",
        "She had your dark suit in greasy wash water all year. "
        "Please bring five thick books to the office on Thursday, and measure the room with care. "
        "Nobody knew how the fire had started, but everyone enjoyed the show.",
    ),
    "de": Calibration(
        "Der Junge ließ seinen gelben Drachen hoch über den Garten steigen, während vom Ufer ein kühler Wind kam. "
        "Wir hörten Stimmen und Gelächter, dann flog ein großer Vogel an der alten Kirche vorbei.",
        "Zwölf fröhliche Freunde backen heute Morgen süße Kuchen für das Fest im Dorf. "
        "Niemand wusste, wie das Feuer entstanden war, doch alle kauften schöne Äpfel und Nüsse.",
    ),
    "fr": Calibration(
        "Le garçon lançait son cerf-volant jaune au-dessus du jardin pendant qu'une brise fraîche montait du rivage. "
        "On entendait des voix et des rires, puis un grand oiseau passa devant la vieille église.",
        "Chaque jeudi, un vieux boulanger préparait du pain chaud et de bonnes tartes aux pommes. "
        "Personne ne savait comment le feu avait commencé, mais tout le monde jouait dehors.",
    ),
    "es": Calibration(
        "El niño lanzó su cometa amarilla sobre el jardín mientras una brisa fresca subía desde la playa. "
        "Se oían voces y risas, y luego un pájaro grande voló junto a la vieja iglesia.",
        "Cada jueves un panadero viejo hacía pan caliente y buenos pasteles de manzana. "
        "Nadie sabía cómo había empezado el fuego, pero todos jugaban en la calle.",
    ),
    "it": Calibration(
        "Il ragazzo lanciò il suo aquilone giallo sopra il giardino mentre una brezza fresca saliva dalla riva. "
        "Si sentivano voci e risate, poi un grande uccello volò accanto alla vecchia chiesa.",
        "Ogni giovedì un vecchio fornaio preparava pane caldo e buone torte di mele. "
        "Nessuno sapeva come fosse cominciato il fuoco, ma tutti giocavano per strada.",
    ),
    "pt": Calibration(
        "O menino soltou sua pipa amarela sobre o jardim enquanto uma brisa fresca vinha da praia. "
        "Ouviam-se vozes e risos, e depois um grande pássaro voou ao lado da velha igreja.",
        "Toda quinta-feira um velho padeiro fazia pão quente e boas tortas de maçã. "
        "Ninguém sabia como o fogo tinha começado, mas todos brincavam na rua.",
    ),
    "ru": Calibration(
        "Мальчик запустил жёлтого змея высоко над садом, а с берега дул прохладный ветер. "
        "Были слышны голоса и смех, потом большая птица пролетела мимо старой церкви.",
        "Каждый четверг старый пекарь готовил горячий хлеб и вкусные пироги с яблоками. "
        "Никто не знал, как начался пожар, но все играли на улице.",
    ),
    "pl": Calibration(
        "Chłopiec puścił żółty latawiec wysoko nad ogrodem, a od brzegu wiał chłodny wiatr. "
        "Słychać było głosy i śmiech, potem duży ptak przeleciał obok starego kościoła.",
        "W każdy czwartek stary piekarz robił gorący chleb i dobre ciasta z jabłkami. "
        "Nikt nie wiedział, jak zaczął się pożar, ale wszyscy bawili się na ulicy.",
    ),
    "nl": Calibration(
        "De jongen liet zijn gele vlieger hoog boven de tuin op, terwijl er een koele wind van de kust kwam. "
        "We hoorden stemmen en gelach, en toen vloog een grote vogel langs de oude kerk.",
        "Elke donderdag bakte een oude bakker warm brood en lekkere taarten met appels. "
        "Niemand wist hoe het vuur begonnen was, maar iedereen speelde buiten.",
    ),
    "hi": Calibration(
        "लड़के ने अपनी पीली पतंग बगीचे के ऊपर ऊँची उड़ाई, और नदी की ओर से ठंडी हवा आ रही थी। "
        "हमें आवाज़ें और हँसी सुनाई दी, फिर एक बड़ा पक्षी पुराने मंदिर के पास से उड़ गया।",
        "हर गुरुवार को एक बूढ़ा आदमी गरम रोटी और मीठे फल बेचता था। "
        "किसी को पता नहीं था कि आग कैसे लगी, पर सब बच्चे बाहर खेल रहे थे।",
    ),
    "zh": Calibration(
        "男孩在花园上空放起黄色的风筝，河边吹来一阵凉风。我们听见说话声和笑声，然后一只大鸟飞过古老的教堂。",
        "每个星期四，老师傅都会做热面包和好吃的苹果饼。没有人知道火是怎么开始的，可是大家都在街上玩。",
    ),
    "ar": Calibration(
        "أَطْلَقَ الْوَلَدُ طَائِرَتَهُ الصَّفْرَاءَ فَوْقَ الْحَدِيقَةِ وَالرِّيحُ تَأْتِي مِنَ الشَّاطِئِ. سَمِعْنَا أَصْوَاتًا وَضِحْكًا ثُمَّ طَارَ عُصْفُورٌ كَبِيرٌ.",
        "كُلَّ يَوْمِ خَمِيسٍ يَخْبِزُ الرَّجُلُ خُبْزًا سَاخِنًا وَكَعْكًا لَذِيذًا. لَا أَحَدَ يَعْرِفُ كَيْفَ بَدَأَتِ النَّارُ لَكِنَّ الْجَمِيعَ يَلْعَبُونَ.",
    ),
    "ja": Calibration(
        "おとこのこは にわの うえに きいろい たこを あげました。"
        "きしから すずしい かぜが ふいて、こえや わらいが きこえました。",
        "まいしゅう もくようびに、おじいさんは あたたかい パンと りんごの おかしを つくります。"
        "みんな そとで あそんで いました。",
    ),
}  # fmt: skip


def calibration(language: str) -> Calibration:
    """The texts of a BCP-47 tag's language, in any case; numbers where there are none."""
    return _TEXTS.get(language.lower().replace("_", "-").split("-")[0], _NUMBERS)
