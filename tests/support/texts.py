"""A corpus of texts as people write them, in many languages and scripts."""

from __future__ import annotations

from unicodedata import normalize

LANGUAGES = {
    "en-US": (
        "Dr. Smith paid $25.50 on 12/05/2024, at 3:45 p.m. He lives at 221B Baker St., e.g. near the park. "
        "See https://example.com/a?b=1&c=2 or write to me@example.com! It's 5% off: 1,234,567 items (half of them new)."
    ),
    "de-DE": (
        "Schöne Grüße aus München, es sind 25 Grad. Am 3. Oktober 1990 um 14:30 Uhr, d. h. nach dem Essen, sagte Hr. "
        "Müller: „Das kostet 1.234,50 €!“ Die Donaudampfschifffahrtsgesellschaft zahlte z. B. nichts."
    ),
    "fr-FR": (
        "L'été dernier, nous étions à Paris. M. Dupont a payé 25,50 € le 14/07/2023 à 18 h 30 ! « Où est la gare ? », "
        "demanda-t-elle. Qu'est-ce que c'est ? C'est l'œuvre d'un garçon naïf."
    ),
    "es-ES": (
        "¿Dónde está la biblioteca, señor? ¡Qué día! El Sr. García nació el 5 de mayo de 1975. Pagó 1.234,50 euros a "
        "las 15:45. Mañana vendrán los pingüinos."
    ),
    "ru-RU": (
        "Привет, мир! Сегодня 25 градусов. Роман вышел в 1869 г., т. е. давно. Встреча в 15:30, ул. Ленина, д. 5. "
        "«Сколько стоит?» — спросил он. Всё стоит 100 руб."
    ),
    "ar": (
        "مرحبا بالعالم، كيف حالك؟ وُلد الكاتب في 15 مايو 1975 في مدينة القاهرة. السعر 250 دولارا. "
        "هذا نصٌّ مُشَكَّل. هل قرأت الكتاب؟"
    ),
    "he": ('שלום עולם! מה שלומך? נולדתי ב-15 במאי 1975. המחיר הוא 250 שקלים. בְּרֵאשִׁית בָּרָא אֱלֹהִים. ד"ר כהן גר כאן.'),
    "fa": "سلام دنیا! حال شما چطور است؟ من در سال ۱۳۵۴ به دنیا آمدم. می‌خواهم ۲۵ کتاب بخرم. این خانه‌ها بزرگ‌اند.",
    "hi": ("नमस्ते दुनिया, आज मौसम अच्छा है। क्या आप १५ अगस्त को आएँगे? कीमत 250 रुपये है। क्षत्रिय और ज्ञान। डॉ. शर्मा यहाँ रहते हैं।"),
    "bn": "নমস্কার বিশ্ব। আজ আবহাওয়া ভালো। আপনি কি ১৫ আগস্ট আসবেন? দাম 250 টাকা। আমি ভাত খাই।",
    "th": "สวัสดีชาวโลก วันนี้อากาศดีมาก เราไปสวนสาธารณะกัน ราคา 250 บาท เขาเกิดวันที่ 5 พฤษภาคม 2518 น้ำใจงาม",
    "zh": "今天天气很好,我们去公园吧。你几岁了？他生于1975年5月15日。价格是250元！“你好”，她说。我用iPhone打电话。",
    "ja": (
        "今日は良い天気です。カタカナとひらがな。1975年5月15日に生まれました。「何時ですか？」と聞いた。"
        "250円です！東京タワーは高い。"
    ),
    "ko": "안녕하세요, 세계! 오늘은 날씨가 좋습니다. 1975년 5월 15일에 태어났어요. 가격은 250원입니다. 몇 시예요?",
    "vi": (
        "Xin chào thế giới! Hôm nay trời đẹp quá. Anh sinh ngày 15 tháng 5 năm 1975. Giá là 250 đồng. Bạn khỏe không?"
    ),
    "el": (
        "Γεια σου κόσμε! Σήμερα έχει 25 βαθμούς. Πού είναι η βιβλιοθήκη; Ο κ. Παπαδόπουλος γεννήθηκε το "
        "1975. Ναι, π.χ. εδώ."
    ),
}
"""Some sentences each, with numbers, dates, abbreviations and quotation marks, by BCP 47 tag."""

SPECIAL = {
    "emoji": (
        "en-US",
        "Hi 👩‍👧 there 😀😀! A family 👨‍👩‍👧‍👦, thumbs 👍🏽 up, flags 🇩🇪🇯🇵. Hearts ❤️‍🔥 burn. 🏴‍☠️",
    ),
    "composed": ("fr-FR", normalize("NFC", LANGUAGES["fr-FR"])),
    "decomposed": ("fr-FR", normalize("NFD", LANGUAGES["fr-FR"])),
    "decomposed vietnamese": ("vi", normalize("NFD", LANGUAGES["vi"])),
    "decomposed korean": ("ko", normalize("NFD", LANGUAGES["ko"])),
    "digits in arabic": (
        "ar",
        "اتصل على 0123-456-789 قبل 15:30 يوم 12/05/2024. النسبة ٢٥٪ من ١٬٢٣٤٫٥. رقم ABC-123 جيد.",
    ),
    "addresses": (
        "en-US",
        "Go to www.example.org/path_(x)#y. Mail a.b+c@d.co.uk. Use C:\\dir\\file.txt, v1.2.3 and 10.0.0.1.",
    ),
    "numbers": (
        "en-US",
        "1,234.56 and -7, 3/4, 1st, 22nd, 1e10, 0x1F, $5m, 50%, 10:30:15, 2024-01-31, ½, Ⅷ, x² and 5 km/h.",
    ),
    "mixed scripts": (
        "en-US",
        "English, русский, العربية 123, עברית, हिन्दी, 中文, 日本語, 한국어, ไทย. And English again.",
    ),
    "white space": ("en-US", "  Two  spaces.\n\n\tA tab.\u00a0No break.\u2003Em.\r\nA line.   "),
    "no sound": ("en-US", "... !!! ???\n* * *\n— — —"),
}  # fmt: skip
"""What is hard to keep the place in: a BCP 47 tag and the text, by name."""

SSML = {
    "breaks": '<speak>One. <break time="300ms"/> Two &amp; three. <s>A sentence.</s> <p>A paragraph.</p></speak>',
    "substitution": (
        '<speak>The <sub alias="World Wide Web Consortium">W3C</sub> met. Then <!-- nothing --> it '
        'ended.</speak>'
    ),
    "prosody": (
        '<speak>Slow: <prosody rate="70%" pitch="+10%">very slowly now</prosody>. Fast again. &#x1F600; '
        'done.</speak>'
    ),
    "right to left": '<speak>مرحبا <break time="200ms"/> بالعالم 25. <emphasis>كيف</emphasis> حالك؟</speak>',
}  # fmt: skip
