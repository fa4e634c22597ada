"""Texts in many languages and of many kinds, with their true token counts.

The counts are those of o200k_base; `test_token_estimate.py` checks them where the vocabulary is at
hand. The texts were written for this purpose and were not used in the fit.
"""

# Letters of other scripts look like Latin ones, and are wider than a column.
# ruff: noqa: E501, RUF001

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A text, its name and how many tokens of o200k_base it is."""

    name: str
    tokens: int
    text: str


def _noise(size: int) -> bytes:
    """Bytes without structure, always the same."""
    return b"".join(hashlib.sha256(bytes([n])).digest() for n in range(size // 32))


LANGUAGES = [
    Text(
        "english",
        111,
        "The ferry left at seven, long before the shops had opened. My grandmother had packed two "
        "sandwiches, a thermos of tea and a letter she would not let me read until we were out of "
        "sight of the harbour. I remember how quiet the water was, and that the captain whistled "
        "the same three notes over and over. When I finally tore the envelope open there was only "
        "one sentence inside: bring back whatever you find there, even if it weighs nothing at "
        "all. I have carried that line with me through every move and every job since.",
    ),
    Text(
        "german",
        98,
        "Als der Zug endlich einfuhr, war der Bahnsteig längst voller Menschen. Niemand sprach, "
        "nur irgendwo hinten lachte ein Kind über eine Taube, die einem Brötchen hinterherhüpfte. "
        "Ich hatte meinen Schirm vergessen und die Fahrkarte in der falschen Jacke gelassen, doch "
        "der Schaffner zuckte bloß mit den Schultern. Solche Morgen gehören einfach dazu, meinte "
        "er, und ging weiter durch die überfüllten Abteile.",
    ),
    Text(
        "french",
        96,
        "Le marché s'installait chaque jeudi sous les platanes, et l'on venait de tous les "
        "villages voisins pour y acheter du fromage, des abricots ou simplement des nouvelles. Ma "
        "tante connaissait tout le monde ; elle s'arrêtait à chaque étal, goûtait une olive, "
        "refusait une remise, puis repartait avec un panier trop lourd. Nous rentrions à pied par "
        "le chemin de l'église, où l'ombre était déjà fraîche.",
    ),
    Text(
        "spanish",
        92,
        "Aquella noche el viento cambió de dirección y los pescadores decidieron quedarse en "
        "tierra. En la taberna alguien encendió la radio, pero nadie escuchaba las noticias: todos "
        "miraban por la ventana cómo subía la marea. Mi padre pidió otra ronda y contó la historia "
        "del faro que se apagó tres veces en un mismo invierno. Siempre la terminaba de manera "
        "distinta, y por eso seguíamos pidiéndosela.",
    ),
    Text(
        "portuguese",
        89,
        "A oficina ficava no fim da rua, atrás de um portão que nunca fechava direito. Ali o meu "
        "avô consertava relógios, rádios e, quando lhe pediam com jeito, bicicletas. Dizia que "
        "todas as máquinas têm saudades de quem as construiu, e por isso falava com elas em voz "
        "baixa. Nós, os netos, ríamos; hoje faço exatamente o mesmo com o meu computador.",
    ),
    Text(
        "italian",
        88,
        "La biblioteca chiudeva alle sei, ma il custode ci lasciava restare finché non aveva "
        "finito di annaffiare le piante. Sfogliavamo gli atlanti più grandi, quelli con le carte "
        "piegate in quattro, e sceglievamo a turno una città dove andare a vivere. Nessuno di noi "
        "è mai partito davvero, però ancora oggi ricordiamo i nomi di tutte quelle strade.",
    ),
    Text(
        "dutch",
        72,
        "Na de storm lag het strand vol met dingen die niemand miste: een halve stoel, een blauwe "
        "emmer, drie handschoenen zonder partner. De kinderen bouwden er een museum van en vroegen "
        "vijf cent entree. Tegen de avond hadden ze genoeg verdiend voor een ijsje, maar ze "
        "besloten het geld te bewaren voor een echt bord boven de deur.",
    ),
    Text(
        "polish",
        102,
        "Jesienią cały dom pachniał jabłkami i suszonymi grzybami. Babcia rozkładała je na "
        "gazetach wzdłuż korytarza, więc do kuchni chodziło się na palcach. Wieczorami dziadek "
        "czytał na głos ogłoszenia drobne, wymyślając do każdego zakończenie, a my zgadywaliśmy, "
        "które z nich mogłoby okazać się prawdziwe.",
    ),
    Text(
        "turkish",
        102,
        "Mahallenin en yaşlı çınarı geçen kış devrilince herkes bir parça odun istedi. Kimi "
        "kapısına tabela yaptı, kimi çocuğuna topaç oydu. Ben küçük bir dal sakladım; masamın "
        "üzerinde duruyor ve yağmurlu günlerde hâlâ toprak kokuyor. Komşular ağacın yerine yenisini "
        "diktiler ama gölgesini görmek için daha uzun yıllar beklememiz gerekecek.",
    ),
    Text(
        "finnish",
        101,
        "Mökin laituri oli korjattava ennen juhannusta, joten lähdimme liikkeelle heti jäiden "
        "lähdettyä. Lautoja kannettiin metsäpolkua pitkin kaksi kerrallaan, ja naapurin koira "
        "seurasi jokaista kierrosta kuin työnjohtaja. Illalla istuimme valmiilla laiturilla, "
        "keitimme kahvia ja kuuntelimme, kuinka järvi hengitti hiljaa kaislikon takana.",
    ),
    Text(
        "czech",
        98,
        "Ve sklepě jsme našli krabici se starými fotografiemi a k ní složený plán města, na kterém "
        "chyběla polovina ulic. Dědeček tvrdil, že ten plán kreslil on sám, když mu bylo dvanáct, "
        "a že chybějící ulice tehdy ještě nikdo nepostavil. Nevěřili jsme mu, dokud jsme vzadu "
        "neobjevili datum a jeho podpis.",
    ),
    Text(
        "vietnamese",
        85,
        "Quán cà phê nhỏ nằm cuối con hẻm, chỉ có bốn cái bàn và một cây đàn cũ. Mỗi sáng chủ quán "
        "mở cửa rất sớm, pha sẵn một bình trà rồi ngồi đọc báo cho mọi người cùng nghe. Khách quen "
        "thường gọi món giống hôm qua, nhưng ông vẫn hỏi lại cho chắc, vì biết đâu hôm nay họ muốn "
        "thử điều gì khác.",
    ),
    Text(
        "indonesian",
        76,
        "Setiap sore anak-anak berkumpul di lapangan belakang sekolah untuk menerbangkan layangan. "
        "Yang paling tua mengajari cara mengikat benang, sedangkan yang kecil bertugas berlari "
        "melawan angin. Kalau ada layangan putus, semua berteriak lalu mengejarnya sampai ke "
        "sawah, dan siapa pun yang menemukannya boleh memberi nama baru.",
    ),
    Text(
        "russian",
        99,
        "Дорога к озеру шла через старый сад, в котором уже никто не собирал яблок. Мы "
        "останавливались у каждой калитки, спорили, чей это был дом, и придумывали истории про "
        "людей, которых никогда не видели. К вечеру корзина становилась тяжёлой, а разговоры "
        "тихими. Дома мама пекла пирог и просила рассказать всё сначала, потому что самое "
        "интересное она опять пропустила.",
    ),
    Text(
        "ukrainian",
        105,
        "На горищі зберігалися дідові карти, компас із тріснутим склом і зошит, у якому він "
        "записував погоду. Щороку перший сніг випадав трохи пізніше, і поруч із кожною датою стояв "
        "маленький знак питання. Ми продовжуємо ці записи досі, хоча тепер замість олівця маємо "
        "телефон, а замість горища квартиру на дев'ятому поверсі.",
    ),
    Text(
        "greek",
        102,
        "Το καλοκαίρι κοιμόμασταν στην ταράτσα, γιατί μέσα στο σπίτι δεν φυσούσε καθόλου. Ο παππούς "
        "έδειχνε τα αστέρια με το μπαστούνι του και μπέρδευε επίτηδες τα ονόματα, για να τον "
        "διορθώνουμε. Το πρωί μας ξυπνούσαν οι γλάροι και η μυρωδιά από τον φούρνο της γειτονιάς.",
    ),
    Text(
        "hebrew",
        78,
        "בסוף הרחוב עמדה חנות קטנה שמכרה רק חוטים וכפתורים. המוכרת הכירה כל חולצה בשכונה וידעה איזה "
        "כפתור חסר לכל אחד. כשהיינו ילדים חשבנו שהיא קוראת מחשבות, אבל היא פשוט הסתכלה היטב על מי "
        "שנכנס בדלת ושתקה עד שסיים לדבר.",
    ),
    Text(
        "arabic",
        84,
        "في آخر الشارع كان هناك مقهى صغير يفتح أبوابه قبل شروق الشمس. يجلس فيه الصيادون يشربون الشاي "
        "ويتحدثون عن البحر كأنه جار قديم يعرفون مزاجه. كان صاحب المقهى يكتب الطلبات في دفتر أزرق ولا "
        "يطلب المال إلا في نهاية الشهر، ومع ذلك لم ينس أحد يوما أن يدفع ما عليه.",
    ),
    Text(
        "hindi",
        86,
        "गाँव के बाहर एक पुराना कुआँ था जिसके पास हर शाम लोग इकट्ठा होते थे। कोई अपनी फसल की बात करता, कोई "
        "शहर से आई चिट्ठी पढ़कर सुनाता। बच्चे पत्थर गिनते और सबसे बड़े पत्थर को अपना राजा बना लेते। अब वहाँ "
        "नल लग गया है, फिर भी लोग आदत से उसी जगह आकर बैठते हैं।",
    ),
    Text(
        "thai",
        94,
        "ร้านหนังสือเล็กๆ ตรงหัวมุมถนนเปิดเฉพาะวันที่ฝนตก เจ้าของร้านบอกว่าคนเราจะอ่านหนังสือได้ดีที่สุดเมื่อไม่มีที่ไป "
        "เราจึงคอยดูเมฆทุกเช้า แล้วรีบเดินไปจองเก้าอี้ริมหน้าต่างก่อนใคร บางวันเขาชงชาให้ฟรีและเล่าเรื่องหนังสือที่ยังเขียนไม่จบ",
    ),
    Text(
        "korean",
        103,
        "골목 끝에 있는 작은 세탁소는 새벽마다 가장 먼저 불을 켰다. 주인 아저씨는 다림질을 하면서 라디오를 들었고, "
        "손님이 오면 볼륨을 줄이는 대신 노래를 따라 불렀다. 나는 교복을 맡길 때마다 그 노래의 제목을 물어보려고 "
        "했지만 한 번도 묻지 못했다. 지금은 그 자리에 편의점이 생겼다.",
    ),
    Text(
        "japanese",
        119,
        "駅前の時計はいつも五分ほど遅れていて、町の人はそれを前提に暮らしていた。電車に乗る人は少し早足で歩き、"
        "待ち合わせをする人は少しだけ余裕を持って家を出る。ある日、修理が終わって時計が正確になると、"
        "なぜかみんな遅刻するようになった。結局、町内会で相談して、また五分遅らせることに決まったそうだ。",
    ),
    Text(
        "chinese",
        117,
        "老街的尽头有一家修伞铺，门口挂着一把褪色的红伞。师傅说，伞坏了不要急着扔，骨架换一根还能再撑十年。"
        "下雨的日子，街坊们顺路把伞送来，坐在屋檐下聊一会儿天，雨停了再慢慢走回家。后来超市里的伞越来越便宜，"
        "来修的人少了，可是那把红伞一直没有取下来。",
    ),
]

KINDS = [
    Text(
        "python",
        180,
        '''from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator


class Shelf:
    """Keeps jars in order of the day they must be eaten."""

    def __init__(self, jars: Iterable[tuple[int, str]] = ()) -> None:
        self._jars = list(jars)
        heapq.heapify(self._jars)

    def add(self, day: int, label: str) -> None:
        if day < 0:
            raise ValueError(f"day must not be negative, got {day}")
        heapq.heappush(self._jars, (day, label))

    def due(self, today: int) -> Iterator[str]:
        while self._jars and self._jars[0][0] <= today:
            yield heapq.heappop(self._jars)[1]
''',
    ),
    Text(
        "c++",
        116,
        """// Returns the index of the first gap that `width` fits in, or npos.
size_t FindGap(const std::vector<Range>& taken, size_t width) {
  size_t end = 0;
  for (size_t i = 0; i < taken.size(); ++i) {
    const Range& range = taken[i];
    if (range.begin - end >= width) return i;
    end = std::max(end, range.end);
  }
  return kCapacity - end >= width ? taken.size() : npos;
}
""",
    ),
    Text(
        "javascript",
        100,
        """export async function loadBasket(userId, { signal } = {}) {
  const response = await fetch(`/api/baskets/${encodeURIComponent(userId)}`, { signal });
  if (!response.ok) {
    throw new BasketError(`could not load the basket: ${response.status}`);
  }
  const { items = [], updatedAt } = await response.json();
  return { items: items.filter((item) => item.quantity > 0), updatedAt: new Date(updatedAt) };
}
""",
    ),
    Text(
        "json",
        142,
        """{
  "order": {"id": "A-20931", "placed": "2025-11-03T08:14:55Z", "currency": "EUR"},
  "lines": [
    {"sku": "MUG-BLUE", "quantity": 2, "unit_price": 8.5, "gift": false},
    {"sku": "TEA-0450", "quantity": 1, "unit_price": 12.95, "gift": true}
  ],
  "shipping": {"method": "letterbox", "address": {"city": "Ghent", "postcode": "9000"}},
  "notes": null
}
""",
    ),
    Text(
        "log",
        157,
        """2025-11-03T08:14:55.201Z INFO  basket[4121]: loaded 3 items for user 88213 in 12 ms
2025-11-03T08:14:55.340Z WARN  stock[4121]: sku=MUG-BLUE only 1 left, reserved until 08:24:55
2025-11-03T08:14:56.002Z ERROR mail[977]: connection to 10.20.0.14:587 refused, retry 1 of 5
2025-11-03T08:14:58.019Z INFO  mail[977]: sent message id=<9f31c2@example.test> after 1 retry
""",
    ),
    Text(
        "csv",
        154,
        """station,date,min_c,max_c,rain_mm
KLM-04,2025-03-01,-2.4,6.1,0.0
KLM-04,2025-03-02,-0.9,7.8,1.2
KLM-04,2025-03-03,1.5,9.0,14.6
KLM-11,2025-03-01,-5.7,3.3,0.4
KLM-11,2025-03-02,-3.1,4.9,2.8
KLM-11,2025-03-03,0.2,6.6,21.0
""",
    ),
    Text(
        "markdown",
        140,
        """# Growing tomatoes on a balcony

You need **sun**, a deep pot and some patience.

1. Sow the seeds indoors, about eight weeks before the last frost.
2. Move the strongest plants outside once nights stay above 10 °C.
3. Water from below; wet leaves invite blight.

| Variety | Height | Days to fruit |
|---------|-------:|--------------:|
| Tiny Tim | 30 cm | 60 |
| Black Krim | 180 cm | 80 |

> Pinch out the side shoots, or you will have a jungle by July.

See [the pruning notes](notes/pruning.md) and run `make calendar` for dates.
""",
    ),
    Text(
        "sql",
        89,
        """SELECT c.name, COUNT(*) AS orders, SUM(o.total_cents) / 100.0 AS revenue
FROM customers AS c
JOIN orders AS o ON o.customer_id = c.id AND o.cancelled_at IS NULL
WHERE o.placed_at >= DATE '2025-01-01'
GROUP BY c.name
HAVING SUM(o.total_cents) > 50000
ORDER BY revenue DESC
LIMIT 20;
""",
    ),
    Text("hex", 357, _noise(320).hex()),
    Text("base64", 436, base64.b64encode(_noise(480)).decode()),
    Text(
        "emoji chat",
        87,
        "omg you made it!! 🎉🎉 so proud of you 😭❤️ when do you start?\n"
        "monday 😅 still need a flat tho 🏠🔑\n"
        "you can have our sofa 🛋️ the cat comes with it 🐈‍⬛😂\n"
        "deal 👍🏽 tell her i bring tuna 🐟\n"
        "she says 10/10 ⭐⭐⭐⭐⭐ would host again 🙌✨",
    ),
    Text(
        "urls",
        84,
        """https://example.test/archive/2025/11/winter-lights?page=2&sort=newest#comments
https://cdn.example.test/assets/img/9c4e1d07/banner@2x.webp
postgresql://reader:secret@db-3.internal.example.test:5432/catalogue?sslmode=require
/usr/local/share/fonts/truetype/recursive/Recursive-SemiBold.ttf
""",
    ),
    Text(
        "identifiers",
        48,
        "getUserPreferencesByAccountId setMaximumRetryCount XMLHttpRequestFactory kMaxPendingWrites "
        "MAX_CONNECTIONS_PER_HOST total_cached_tokens_in_window parseIso8601DateTime "
        "__init_subclass__ isEligibleForFreeShipping AbstractSingletonProxyFactoryBean",
    ),
    Text(
        "ascii table",
        77,
        "+----------------+----------+----------+\n"
        "| item           |    count |    share |\n"
        "+----------------+----------+----------+\n"
        "| apples         |       12 |   40.0 % |\n"
        "| pears          |        9 |   30.0 % |\n"
        "| plums          |        9 |   30.0 % |\n"
        "+----------------+----------+----------+\n",
    ),
    Text(
        "letters with escapes",
        42,
        '{"role":"user","content":"Line one\\nLine two\\tindented, caf\\u00e9 na\\u00efve '
        '\\u4f60\\u597d \\ud83d\\ude00"}\n',
    ),
]

TEXTS = [*LANGUAGES, *KINDS]
